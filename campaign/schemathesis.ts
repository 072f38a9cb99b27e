import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { installTestTools } from '../src/local/python';

/** Somebody to ask as: with a token, or without. */
export interface Asker {
  readonly name: string;
  readonly token?: string;
  /** Ids that mean something, by the name of the parameter: the first of each is one the asker may see, if there is one. */
  readonly known: Readonly<Record<string, readonly string[]>>;
}

export interface SchemathesisOptions {
  readonly url: string;
  readonly document: OpenApi;
  readonly asker: Asker;
  /** Generated for each operation, besides the fixed cases. */
  readonly examples: number;
  readonly seed: number;
  /** A part of the operations, by regular expression over their ids; all by default. */
  readonly only?: string;
  readonly except?: string;
}

export interface SchemathesisRun {
  readonly asker: string;
  readonly requests: number;
  readonly operations: number;
  /** Kinds of findings, with where each was seen. */
  readonly findings: readonly string[];
  /** What it printed: each finding with its request. */
  readonly output: string;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: { readonly properties?: Readonly<Record<string, { readonly type?: string }>> } }>> };
}

interface Report {
  readonly operations: { readonly tested: number; readonly errored: number };
  readonly test_cases: { readonly generated: number };
  readonly failures: readonly { readonly title: string; readonly operations: readonly string[] }[];
  readonly errors: readonly unknown[];
}

/** What a valid request may be refused with: what a document cannot say, as whether there is such a tier (422), or what the tier takes (413). */
const configuration = `
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "413", "422", "424", "429", "503"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "411", "413", "414", "415", "422", "428", "429", "431"]
`;

const mostOutputBytes = 200_000_000;
const requestTimeoutSeconds = '90';

/** Runs Schemathesis on an API, as somebody. @throws Error when it could not run. */
export async function runSchemathesis({ url, document, asker, examples, seed, only, except }: SchemathesisOptions): Promise<SchemathesisRun> {
  const tools = await installTestTools((line) => void process.stderr.write(`  ${line}\n`));
  const directory = await mkdtemp(path.join(os.tmpdir(), 'tenure-schemathesis-'));
  const inDirectory = (name: string) => path.join(directory, name);
  try {
    await writeFile(inDirectory('openapi.json'), JSON.stringify(withKnown(document, asker.known)));
    await writeFile(inDirectory('schemathesis.toml'), configuration);
    const args = [
      ...['--config-file', 'schemathesis.toml', 'run', 'openapi.json', '--url', url, '--seed', String(seed), '--max-examples', String(examples)],
      ...['--phases', 'coverage,fuzzing', '--checks', 'all', '--continue-on-failure', '--generation-database', 'none', '--no-shrink', '--no-color'],
      // 5xx are looked for by a check of their own; what guards a machine against slow generators is of no use on a busy one.
      // One thread: Python 3.11 counts how deep its parser is for all threads together, and gives an operation up for another's depth.
      ...['--suppress-health-check', 'all', '--warnings', 'off', '--request-timeout', requestTimeoutSeconds, '--workers', '1'],
      ...['--report', 'json', '--report-json-path', 'report.json', '--output-truncate', 'true'],
      ...(asker.token === undefined ? [] : ['--header', `Authorization: Bearer ${asker.token}`]),
      ...(only === undefined ? [] : ['--include-operation-id-regex', only]),
      ...(except === undefined ? [] : ['--exclude-operation-id-regex', except]),
    ];
    const output = await run(path.join(tools, 'bin/schemathesis'), args, directory);
    const report = JSON.parse(await readFile(inDirectory('report.json'), 'utf8').catch(() => Promise.reject(new Error(`Schemathesis did not run:\n${output}`)))) as Report;
    return {
      asker: asker.name,
      requests: report.test_cases.generated,
      operations: report.operations.tested,
      findings: [...report.failures.map(({ title, operations }) => `${title}: ${operations.join(', ')}`), ...report.errors.map((error) => `Error: ${JSON.stringify(error)}`)],
      output,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** It ends with 1 when it found something: that is an answer. */
const run = (program: string, args: readonly string[], cwd: string): Promise<string> =>
  new Promise((resolve) => execFile(program, args, { cwd, maxBuffer: mostOutputBytes, env: { ...process.env, NO_COLOR: '1' } }, (_error, stdout, stderr) => resolve(stdout + stderr)));

/** More items than these Hypothesis cannot draw: it gives an operation up with an error of its own. */
const mostItems = 100;

/**
 * The document with ids that exist beside those it allows: of those made up, none would get behind the first look. What it allows stays: some route may have
 * made such an id.
 */
function withKnown(document: OpenApi, known: Asker['known']): object {
  const orKnown = (name: string, schema: object): object => {
    const [own, ...others] = known[name] ?? [];
    return own === undefined ? schema : { anyOf: [{ enum: [own] }, ...(others.length > 0 ? [{ enum: others }] : []), schema] };
  };
  const withIds = (parameter: NonNullable<Operation['parameters']>[number]) => (parameter.in === 'query' ? parameter : { ...parameter, schema: orKnown(parameter.name, parameter.schema) });
  const withBody = ({ requestBody }: Operation) =>
    requestBody && {
      requestBody: {
        ...requestBody,
        content: Object.fromEntries(
          Object.entries(requestBody.content).map(([type, { schema }]) => [type, { schema: { ...schema, ...(schema.properties && { properties: Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, property.type === 'string' ? orKnown(name, property) : property])) }) } }]),
        ),
      },
    };
  const paths = Object.entries(document.paths).map(([name, operations]) => [
    name,
    Object.fromEntries(Object.entries(operations).map(([method, operation]) => [method, { ...operation, parameters: operation.parameters?.map(withIds) ?? [], ...withBody(operation) }])),
  ]);
  const told = { ...document, paths: Object.fromEntries(paths) as object };
  return JSON.parse(JSON.stringify(told), (key, value: unknown) => (key === 'maxItems' && Number(value) > mostItems ? undefined : value)) as object;
}
