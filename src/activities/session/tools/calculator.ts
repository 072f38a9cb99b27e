import type { MathJsInstance, MathNode } from 'mathjs/number';
import { z } from 'zod';
import { DomainError } from '../../../contracts/errors';
import { defineTool } from './tool';

let loading: Promise<MathJsInstance> | undefined;
/** Loaded by the first who calculates: it takes a quarter of a second, and the API only tells what the tool is. */
const loadMath = (): Promise<MathJsInstance> => (loading ??= import('mathjs/number').then(({ all, create }) => create(all ?? {})));

/** Everything here takes constant time: a model must not be able to keep the worker busy with one expression. */
const functions = new Set(['abs', 'ceil', 'cos', 'exp', 'floor', 'log', 'log10', 'log2', 'max', 'min', 'round', 'sign', 'sin', 'sqrt', 'tan']);
const constants = new Set(['pi', 'e']);
const operators = new Set(['+', '-', '*', '/', '^', '%']);

export const calculator = defineTool({
  name: 'calculator',
  description: `Evaluates an arithmetic expression exactly. It knows + - * / ^ %, parentheses, pi, e and ${[...functions].join(', ')}.`,
  input: z.object({ expression: z.string().trim().min(1).max(500).describe('such as (17 * 23) / 4') }),
  output: z.object({ expression: z.string(), result: z.number() }),
  timeoutMs: 5_000,
  maxAttempts: 3,
  effect: 'read',
  async run({ expression }) {
    return { expression, result: evaluate(await loadMath(), expression) };
  },
});

function evaluate(math: MathJsInstance, expression: string): number {
  const node = parse(math, expression);
  node.traverse((part, path, parent) => mustBeArithmetic(math, part, path, parent));
  const result: unknown = node.evaluate();
  if (typeof result === 'number' && Number.isFinite(result)) return result;
  throw new DomainError('tool/invalid-input', `"${expression}" has no finite result.`);
}

function parse(math: MathJsInstance, expression: string): MathNode {
  try {
    return math.parse(expression);
  } catch (error) {
    throw new DomainError('tool/invalid-input', `"${expression}" is no expression: ${String(error)}`);
  }
}

function mustBeArithmetic(math: MathJsInstance, node: MathNode, path: string, parent: MathNode | null): void {
  if (math.isParenthesisNode(node)) return;
  if (math.isConstantNode(node) && typeof node.value === 'number') return;
  if (math.isOperatorNode(node) && operators.has(node.op)) return;
  if (math.isFunctionNode(node) && functions.has(node.fn.name)) return;
  const isCallee = path === 'fn' && parent !== null && math.isFunctionNode(parent);
  if (math.isSymbolNode(node) && (isCallee || constants.has(node.name))) return;
  throw new DomainError('tool/invalid-input', `"${node.toString()}" is not arithmetic this calculator knows.`);
}
