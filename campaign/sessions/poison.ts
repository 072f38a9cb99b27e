import type { SessionEvent } from '../../src/contracts/events';
import type { SessionCase } from './case';
import { newName, type Stage } from './stage';
import { problemsOfNumbers } from './verdict';

interface Call {
  readonly name: string;
  readonly input?: { readonly url: string };
  readonly rawInput?: string;
}

interface Dose {
  readonly what: string;
  readonly call: (stage: Stage) => Call;
  /** What becomes of the call: `completed`, or the code it fails with. */
  readonly comesTo: string;
}

const say = 'I see.';
const from = (path: string) => (stage: Stage) => ({ name: 'http_request', input: { url: `${stage.poison.origin}${path}` } });

const doses: readonly Dose[] = [
  { what: 'ten megabytes of output', call: from('/huge'), comesTo: 'completed' },
  { what: 'output that is no text', call: from('/no-text'), comesTo: 'completed' },
  { what: 'output nested without end', call: from('/nested'), comesTo: 'completed' },
  { what: 'arguments nested without end', call: () => ({ name: 'calculator', rawInput: `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}` }), comesTo: 'tool/invalid-input' },
  { what: 'arguments without end', call: () => ({ name: 'calculator', rawInput: `{"expression":"${'1+'.repeat(200_000)}1"}` }), comesTo: 'tool/invalid-input' },
  { what: 'arguments that are no JSON', call: () => ({ name: 'calculator', rawInput: '{"expression": ' }), comesTo: 'tool/invalid-input' },
  { what: "another tenant's tool", call: () => ({ name: 'globex__delete_customer', rawInput: '{}' }), comesTo: 'tool/unknown' },
  { what: 'a name that is none', call: () => ({ name: '../../tenants/globex', rawInput: '{}' }), comesTo: 'tool/unknown' },
];

/** Each dose to a conversation: the call comes to what it must, the turn ends well, and the next one is as ever. */
export const poison: SessionCase = {
  id: 'poison',
  async run(stage, size) {
    const given = Array.from({ length: size }, () => doses).flat();
    const problems = await Promise.all(given.map((dose) => take(stage, dose)));
    return { turns: 2 * given.length, problems: problems.flat() };
  },
};

async function take(stage: Stage, { what, call, comesTo }: Dose): Promise<string[]> {
  const { platform, user } = stage;
  const prompt = newName();
  await platform.model.script({ match: prompt, steps: [{ calls: [call(stage)] }, { say }] });
  const session = await user.open();
  const turn = await user.ask(session, prompt);
  const next = await user.ask(session, 'What is 17*23?');
  const log = await user.log(session);
  const result = log.find((event): event is SessionEvent & { type: 'tool.completed' | 'tool.failed' } => event.type === 'tool.completed' || event.type === 'tool.failed');
  const cameTo = result?.type === 'tool.failed' ? result.code : (result && 'completed') ?? 'nothing';
  return [
    ...(cameTo === comesTo ? [] : [`the call came to ${cameTo}`]),
    ...(turn.outcome === 'completed' && turn.answer === say ? [] : [`the turn came to ${turn.outcome}: ${turn.answer}`]),
    ...(next.answer === '17*23 is 391.' ? [] : [`the next turn came to ${next.outcome}: ${next.answer}`]),
    ...problemsOfNumbers(log),
  ].map((problem) => `${what}: ${problem}`);
}
