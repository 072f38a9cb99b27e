import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { allCases, type Case, idOf, isAlone } from './cases';
import { updateDocs } from './docs';
import { Lane } from './lane';
import { toMarkdown } from './report';
import { type CaseResult, runCase } from './run-case';
import { Tenants } from './tenants-of-lane';

const { values: options } = parseArgs({
  options: {
    /** `step=memory,fault=killed,direction=undo,kind=offboarding`; several values of one with `|`. */
    only: { type: 'string', default: '' },
    /** Whole platforms side by side. */
    lanes: { type: 'string', default: '3' },
    /** Cases at once in a lane whose worker nobody kills. */
    width: { type: 'string', default: '6' },
    out: { type: 'string', default: 'campaign/results' },
    /** Leaves out what passed according to the results file. */
    resume: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    /** Runs nothing: puts what the results file has on the page. */
    report: { type: 'boolean', default: false },
  },
});

const resultsFile = path.join(options.out, 'lifecycle.json');

/** Every step of onboarding and offboarding × every fault × forward and while undoing. */
async function main(): Promise<void> {
  const selected = allCases().filter(selection(options.only));
  if (options.list) {
    for (const one of selected) console.log(idOf(one));
    return;
  }
  if (options.report) {
    const { results, durationMs } = await readResults();
    await updateDocs('matrix', toMarkdown(inOrderOf(results), durationMs));
    return;
  }
  const { results: earlier, durationMs: earlierMs } = options.resume ? await readResults() : nothingYet;
  const passed = new Set(earlier.filter((result) => result.passed).map(({ id }) => id));
  const cases = selected.filter((one) => !passed.has(idOf(one)));
  const results = new Map(earlier.map((result) => [result.id, result]));
  console.log(`${cases.length} cases on ${options.lanes} lanes`);
  const startedAtMs = Date.now();
  const queues = new Queues(cases);
  let done = 0;
  const onResult = async (result: CaseResult) => {
    results.set(result.id, result);
    done += 1;
    console.log(line(result, `${done}/${cases.length}`));
    await save([...results.values()], earlierMs + Date.now() - startedAtMs);
  };
  const lanes = Array.from({ length: Math.min(Number(options.lanes), cases.length) }, (_, index) => runLane(`lane${index + 1}`, index, queues, onResult));
  const problems = (await Promise.all(lanes)).flat();
  for (const problem of problems) console.log(`FAIL  at the end: ${problem}`);
  const inOrder = inOrderOf([...results.values()]);
  // A part of the matrix is no news for the page.
  if (options.only === '') await updateDocs('matrix', toMarkdown(inOrder, earlierMs + Date.now() - startedAtMs));
  const failed = inOrder.filter((result) => !result.passed);
  console.log(`${inOrder.length - failed.length} of ${inOrder.length} cases passed, ${((Date.now() - startedAtMs) / 60_000).toFixed(1)} min`);
  if (failed.length > 0 || problems.length > 0) process.exitCode = 1;
}

/** Those that need a lane for themselves, those that do not, and those that mostly wait until they are given up or rest. */
class Queues {
  private readonly cases: Readonly<Record<Queue, Case[]>>;

  constructor(cases: readonly Case[]) {
    const queueOf = (one: Case): Queue => (isAlone(one) ? 'alone' : one.fault === 'denied' ? 'waiting' : 'together');
    const of = (queue: Queue) => cases.filter((one) => queueOf(one) === queue);
    this.cases = { alone: of('alone'), together: of('together'), waiting: of('waiting') };
  }

  next(queue: Queue): Case | undefined {
    return this.cases[queue].shift();
  }
}

type Queue = 'alone' | 'together' | 'waiting';
/** They cost next to nothing while they wait. */
const waitingWidth = 16;

/** The first lane begins with what can be done side by side, the others with what needs a worker to kill; then each helps out. */
async function runLane(name: string, index: number, queues: Queues, onResult: (result: CaseResult) => Promise<void>): Promise<string[]> {
  const lane = await Lane.start(name);
  try {
    const tenants = await Tenants.begin(lane);
    const work = async (queue: Queue, width: number) => {
      const serve = async () => {
        for (let one = queues.next(queue); one; one = queues.next(queue)) await onResult(await runCase(lane, tenants, one));
      };
      await Promise.all(Array.from({ length: width }, serve));
    };
    const alone = () => work('alone', 1);
    const others = () => Promise.all([work('waiting', waitingWidth), work('together', Number(options.width))]);
    for (const part of index % 2 === 0 ? [others, alone] : [alone, others]) await part();
    return (await tenants.end()).map((problem) => `${name}: ${problem}`);
  } finally {
    await lane.stop();
  }
}

function selection(only: string): (one: Case) => boolean {
  const wanted = only
    .split(',')
    .filter(Boolean)
    .map((term) => term.split('='));
  for (const [key] of wanted) if (!['id', 'kind', 'step', 'direction', 'fault', 'point'].includes(key ?? '')) throw new Error(`--only knows id, kind, step, direction, fault and point; not "${key ?? ''}"`);
  return (one) =>
    wanted.every(([key, values = '']) => {
      const value = key === 'point' ? one.point.name : key === 'id' ? idOf(one) : one[key as 'kind' | 'step' | 'direction' | 'fault'];
      return values.split('|').includes(value);
    });
}

const line = ({ passed, id, outcome, durationMs, problems }: CaseResult, count: string): string =>
  [`${passed ? 'ok  ' : 'FAIL'}  ${count.padStart(7)}  ${(durationMs / 1_000).toFixed(1).padStart(6)} s  ${id}: ${outcome}`, ...problems.map((problem) => `        ${problem}`)].join('\n');

interface Results {
  /** Of all runs that made them. */
  readonly durationMs: number;
  readonly results: readonly CaseResult[];
}
const nothingYet: Results = { durationMs: 0, results: [] };

async function readResults(): Promise<Results> {
  const text = await readFile(resultsFile, 'utf8').catch(() => undefined);
  return text === undefined ? nothingYet : (JSON.parse(text) as Results);
}

/** Those of cases that still are. */
function inOrderOf(results: readonly CaseResult[]): CaseResult[] {
  const byId = new Map(results.map((result) => [result.id, result]));
  return allCases().flatMap((one) => byId.get(idOf(one)) ?? []);
}

async function save(results: readonly CaseResult[], durationMs: number): Promise<void> {
  await mkdir(options.out, { recursive: true });
  await writeFile(resultsFile, `${JSON.stringify({ durationMs, results }, null, 1)}\n`);
  await writeFile(path.join(options.out, 'lifecycle.md'), toMarkdown(results, durationMs));
}

// What still runs when a lane could not be started ends with this process.
main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
