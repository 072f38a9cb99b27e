import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';

/** One shape of AWS's own description of a service, as botocore carries it. */
interface Shape {
  readonly type: 'structure' | 'list' | 'map' | 'string' | 'integer' | 'long' | 'float' | 'double' | 'boolean' | 'timestamp' | 'blob';
  readonly members?: Readonly<Record<string, { readonly shape: string; readonly location?: string; readonly locationName?: string }>>;
  readonly required?: readonly string[];
  readonly union?: boolean;
  readonly member?: { readonly shape: string };
  readonly key?: { readonly shape: string };
  readonly value?: { readonly shape: string };
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly min?: number;
  readonly max?: number;
  readonly document?: boolean;
}

interface Operation {
  readonly name: string;
  readonly http: { readonly method: string; readonly requestUri: string; readonly responseCode: number };
  readonly input?: { readonly shape: string };
  readonly output?: { readonly shape: string };
}

export interface Call {
  readonly operation: Operation;
  /** What the address says. */
  readonly labels: Readonly<Record<string, string>>;
  /** What is wrong with the request: nothing, when AWS's model allows it. */
  readonly violations: readonly string[];
}

/**
 * AWS's own description of a REST service: which requests it takes, with every pattern, length and required part. The SDK for
 * JavaScript leaves those out, so that a wrong request is only refused by AWS itself.
 */
export class AwsModel {
  private readonly shapes: Readonly<Record<string, Shape>>;
  private readonly operations: readonly Operation[];

  /**
   * @param packages - folder of Python packages that holds botocore.
   * @param foreignIds - shapes of ids that are not made as AWS makes them.
   */
  constructor(
    packages: string,
    service: string,
    private readonly foreignIds: readonly string[],
  ) {
    const versions = path.join(packages, 'botocore/data', service);
    const [version = ''] = readdirSync(versions).sort().reverse();
    const model = JSON.parse(gunzipSync(readFileSync(path.join(versions, version, 'service-2.json.gz'))).toString()) as {
      shapes: Record<string, Shape>;
      operations: Record<string, Operation>;
    };
    this.shapes = model.shapes;
    this.operations = Object.values(model.operations);
  }

  /** @returns undefined when AWS has no such address. */
  callOf(method: string, pathname: string, body: unknown): Call | undefined {
    for (const operation of this.operations) {
      const labels = operation.http.method === method ? labelsIn(operation.http.requestUri, pathname) : undefined;
      if (!labels) continue;
      const violations = operation.input ? this.violations({ ...labels, ...(body as object | undefined) }, operation.input.shape, operation.name) : [];
      return { operation, labels, violations };
    }
    return undefined;
  }

  /** What AWS could not have answered. */
  answerViolations({ output, name }: Operation, answer: unknown): string[] {
    return output ? this.violations(answer, output.shape, `${name} answer`) : [];
  }

  private violations(value: unknown, shapeName: string, at: string): string[] {
    const shape = this.shapes[shapeName];
    if (!shape) return [`${at}: no shape ${shapeName}`];
    if (shape.document || this.foreignIds.includes(shapeName)) return [];
    if (shape.type === 'structure') return this.structureViolations(value, shape, at);
    if (shape.type === 'list') return Array.isArray(value) ? [...sizeViolations(value.length, shape, at), ...value.flatMap((item, index) => this.violations(item, shape.member?.shape ?? '', `${at}[${index}]`))] : [`${at}: not a list`];
    if (shape.type === 'map')
      return isRecord(value)
        ? [
            ...sizeViolations(Object.keys(value).length, shape, at),
            ...Object.entries(value).flatMap(([key, item]) => [...this.violations(key, shape.key?.shape ?? '', `${at} key`), ...this.violations(item, shape.value?.shape ?? '', `${at}.${key}`)]),
          ]
        : [`${at}: not a map`];
    return scalarViolations(value, shape, at);
  }

  private structureViolations(value: unknown, { members = {}, required = [], union }: Shape, at: string): string[] {
    if (!isRecord(value)) return [`${at}: not a structure`];
    const given = Object.keys(value).filter((name) => value[name] !== undefined && value[name] !== null);
    return [
      ...required.filter((name) => !given.includes(name)).map((name) => `${at}.${name}: missing`),
      ...given.filter((name) => !members[name]).map((name) => `${at}.${name}: unknown`),
      ...(union && given.length !== 1 ? [`${at}: exactly one of a union, not ${given.join(', ')}`] : []),
      ...given.flatMap((name) => (members[name] ? this.violations(value[name], members[name].shape, `${at}.${name}`) : [])),
    ];
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const sizeViolations = (size: number, { min, max }: Shape, at: string): string[] =>
  (min !== undefined && size < min) || (max !== undefined && size > max) ? [`${at}: ${size} is not between ${min ?? ''} and ${max ?? ''}`] : [];

function scalarViolations(value: unknown, shape: Shape, at: string): string[] {
  if (shape.type === 'timestamp') return [];
  if (shape.type === 'boolean') return typeof value === 'boolean' ? [] : [`${at}: not a boolean`];
  if (shape.type !== 'string' && shape.type !== 'blob') return typeof value === 'number' ? sizeViolations(value, shape, at) : [`${at}: not a number`];
  if (typeof value !== 'string') return [`${at}: not a text`];
  return [
    ...sizeViolations(value.length, shape, at),
    ...(shape.enum && !shape.enum.includes(value) ? [`${at}: ${value} is none of ${shape.enum.join(', ')}`] : []),
    ...(shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`).test(value) ? [`${at}: ${value} does not match ${shape.pattern}`] : []),
  ];
}

/** @returns undefined when the address is another's. */
function labelsIn(requestUri: string, pathname: string): Record<string, string> | undefined {
  const [template = ''] = requestUri.split('?');
  const names = [...template.matchAll(/\{([^}+]+)\+?\}/g)].map(([, name = '']) => name);
  const pattern = template.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{[^}]+\}/g, '([^/]+)').replace(/\/$/, '');
  const match = new RegExp(`^${pattern}/?$`).exec(pathname);
  return match ? Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(match[index + 1] ?? '')])) : undefined;
}
