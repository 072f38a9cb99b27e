import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker, type WorkflowBundle } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createSessions } from '../../src/adapters/temporal/sessions';
import { taskQueues, workflowIds } from '../../src/contracts/names';
import { type Draw, drawing } from '../../src/local/model/hostile';
import type { Sessions } from '../../src/ports/sessions';
import { replayed } from '../../test/support/replay';
import { until } from '../until';
import { Moves } from './moves';
import { FuzzedTenant } from './tenant';
import { problemsOfLog, problemsOfRuns, runsOf, type WorkflowRun } from './verdict';

/** Where stories are told: one after the other, as they share the queue of the sessions. */
export interface FuzzStage {
  readonly env: TestWorkflowEnvironment;
  readonly workflowBundle: WorkflowBundle;
  /** After so many of a history's events the server of `env` suggests to continue as new. */
  readonly eventsPerRun: number;
}

/** What came of one seed. */
export interface Story {
  readonly seed: string;
  /** With those in which agents worked for others. */
  readonly sessions: number;
  readonly requests: number;
  readonly turns: number;
  /** Of their workflows; each was replayed. */
  readonly runs: number;
  readonly longestRun: number;
  /** Empty when all held. */
  readonly problems: readonly string[];
  /** For whoever looks for the cause: what was sent to each session, and how it was answered. */
  readonly sent: readonly string[];
}

/** What one action and what comes meanwhile add to a run that is full already. */
const mostBehindFull = 200;
/** A worker keeps so many workflows in memory: none, one of several, all. */
const cacheSizes = [0, 0, 1, 100] as const;
/** A task that fails is begun again: this often it is no accident. */
const mostAttempts = 3;

/** Has several sessions live their lives side by side, on workers that forget them. The seed says what is sent, and what activities come to; not how the machine mixes them. */
export async function tell({ env, workflowBundle, eventsPerRun }: FuzzStage, seed: string): Promise<Story> {
  const draw = drawing(`${seed}/story`);
  const tenantId = `fuzz-${randomUUID().slice(0, 8)}`;
  const tenant = new FuzzedTenant(seed);
  const { connection, namespace } = { connection: env.nativeConnection, namespace: env.namespace ?? 'default' };
  const maxCachedWorkflows = cacheSizes[draw(cacheSizes.length)] ?? 0;
  const forgetful = new Restarted(() => Worker.create({ connection, namespace, workflowBundle, taskQueue: taskQueues.sessions, maxCachedWorkflows, stickyQueueScheduleToStartTimeout: '2 seconds' }));
  const tools = new Restarted(() => Worker.create({ connection, namespace, taskQueue: taskQueues.tenant(tenantId), activities: tenant.activities, maxHeartbeatThrottleInterval: '50 ms' }));
  await Promise.all([forgetful.start(), tools.start()]);
  const lives = Array.from({ length: 2 + draw(2) }, (_, index) => new Life(env, tenant, { tenantId, sessionId: `ses-${index + 1}` }, seed));
  try {
    const restarts = forgetful.restartAt(Array.from({ length: draw(2) }, () => draw(1_500)));
    const problems = (await Promise.all(lives.map((life) => life.live()))).flat();
    await restarts;
    const verdict = await judge(env, { tenantId, tenant, lives, workflowBundle, mostEvents: eventsPerRun + mostBehindFull });
    const sent = lives.flatMap(({ moves, session }) => [`${session.sessionId} (a cache of ${maxCachedWorkflows}):`, ...moves.sent.map((line) => `  ${line}`)]);
    return { seed, ...verdict, problems: [...problems, ...verdict.problems], requests: lives.reduce((sum, { moves }) => sum + moves.sent.length, 0), sent };
  } finally {
    await Promise.all(lives.map((life) => life.leave()));
    await Promise.all([forgetful.stop(), tools.stop()]);
  }
}

/** A worker, or the one that takes its place. */
class Restarted {
  private worker: Worker | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly create: () => Promise<Worker>) {}

  async start(): Promise<void> {
    this.worker = await this.create();
    this.running = this.worker.run();
  }

  async stop(): Promise<void> {
    // One that broke has stopped, and says why.
    if (this.worker?.getState() === 'RUNNING') this.worker.shutdown();
    await this.running;
  }

  /** After so many milliseconds each it stops in order, and another one begins. */
  async restartAt(pausesMs: readonly number[]): Promise<void> {
    for (const pauseMs of pausesMs) {
      await delay(pauseMs);
      await this.stop();
      await this.start();
    }
  }
}

/** One session, from its first message to its end and one message more. */
class Life {
  readonly moves: Moves;
  private readonly sessions: Sessions;
  /** What one draws does not depend on how often another did, which is the machine's matter. */
  private readonly drawFor: (what: string) => Draw;
  private isOver = false;

  constructor(
    private readonly env: TestWorkflowEnvironment,
    private readonly tenant: FuzzedTenant,
    readonly session: { readonly tenantId: string; readonly sessionId: string },
    seed: string,
  ) {
    this.drawFor = (what) => drawing(`${seed}/${session.sessionId}/${what}`);
    this.sessions = createSessions(env.client);
    this.moves = new Moves(this.sessions, session, this.log, () => this.handle.cancel());
  }

  get log() {
    return this.tenant.logOf(this.session.sessionId);
  }

  private get handle() {
    return this.env.client.workflow.getHandle(workflowIds.session(this.session.tenantId, this.session.sessionId));
  }

  /** @returns what did not hold. */
  async live(): Promise<string[]> {
    const problems = await Promise.race([this.run(), this.standstill()]).then(
      () => [],
      (error: unknown) => [error instanceof Error ? error.message : String(error)],
    );
    this.isOver = true;
    return [...problems, ...this.moves.problems].map((problem) => `${this.session.sessionId}: ${problem}`);
  }

  /** What stands still would be in the way of the next story. */
  async leave(): Promise<void> {
    await this.handle.terminate().catch(() => undefined);
  }

  private async run(): Promise<void> {
    const { moves } = this;
    const draw = this.drawFor('life');
    const count = 6 + draw(14);
    const endsAt = draw(6) === 0 ? draw(count) : count;
    await moves.begin(draw);
    for (let made = 0; made < count; made += 1) {
      const drawMove = this.drawFor(`move ${made}`);
      const pace = drawMove(10);
      const isRested = pace >= 7 && !moves.isHeld;
      if (isRested) await this.rest(drawMove);
      if (pace >= 5) await this.quiet();
      else if (pace >= 2) await delay(drawMove(60));
      if (made === endsAt) await moves.end(drawMove);
      else await moves.make(drawMove, isRested);
    }
    if (endsAt >= count) {
      await this.rest(draw);
      await until('the session knows where it stands', () => this.isIdle());
      await moves.end(draw);
    }
    await moves.allAnswered();
    await this.settle(async () => this.log.of('session.closed').length > 0 && this.sessions.hasEnded(this.session));
    await moves.comeTooLate();
  }

  /** Everything it was sent is done; meanwhile somebody may say what asks for nothing. */
  private async rest(draw: Draw): Promise<void> {
    const { moves } = this;
    await moves.allAnswered();
    // The last one may have overtaken a suspension.
    await moves.release();
    let fidgets = draw(2) * draw(8);
    await this.settle(async () => {
      if (moves.isQuiet) return true;
      if (fidgets > 0 && draw(4) === 0) {
        fidgets -= 1;
        await moves.fidget(draw);
      }
      return moves.isQuiet;
    });
  }

  /** Whether it rests, and knows where its log ends and how many turns it has had. */
  private async isIdle(): Promise<boolean> {
    const { log } = this;
    const { state, head, turnCount } = await this.sessions.status(this.session);
    return state === 'idle' && head === log.head && turnCount === log.of('turn.completed').length;
  }

  /** Gives it whatever it waits for. */
  private settle(isSo: () => Promise<boolean>): Promise<void> {
    return until('the session comes to rest, or to its end', async () => {
      await this.moves.satisfy();
      return isSo();
    });
  }

  /** No task of the workflow is under way or waits: what comes next finds it with nothing in between. */
  private quiet(): Promise<void> {
    return until('a task of the workflow is done', async () => (await this.task()) === undefined);
  }

  private async task() {
    const { raw } = await this.handle.describe();
    return raw.pendingWorkflowTask ?? undefined;
  }

  /** @throws Error when the workflow's task fails again and again. */
  private async standstill(): Promise<never> {
    for (;;) {
      await delay(300);
      const task = this.isOver ? undefined : await this.task().catch(() => undefined);
      if ((task?.attempt ?? 0) > mostAttempts) throw new Error('the session stands still');
      if (this.isOver) throw new Error('over');
    }
  }
}

interface Judged {
  readonly tenantId: string;
  readonly tenant: FuzzedTenant;
  readonly lives: readonly Life[];
  readonly workflowBundle: WorkflowBundle;
  readonly mostEvents: number;
}

async function judge({ client }: TestWorkflowEnvironment, { tenantId, tenant, lives, workflowBundle, mostEvents }: Judged) {
  const problems: string[] = [];
  const all: WorkflowRun[] = [];
  for (const [sessionId, log] of tenant.logs) {
    const moves = lives.find(({ session }) => session.sessionId === sessionId)?.moves;
    const runs = await runsOf(client, workflowIds.session(tenantId, sessionId));
    all.push(...runs);
    problems.push(...problemsOfLog(log, runs, moves?.takenTurns ?? new Set(), moves ? undefined : log.of('turn.completed')[0]?.turnId).map((problem) => `${sessionId}: ${problem}`));
  }
  const results = await replayed(workflowBundle, all);
  const unlike = results.flatMap(({ error, runId }) => (error === undefined ? [] : [`a history does not replay: ${runId}: ${error.message}`]));
  return {
    problems: [...problems, ...problemsOfRuns(all, mostEvents), ...unlike, ...(results.length === all.length ? [] : ['not every history was replayed'])],
    sessions: tenant.logs.size,
    turns: [...tenant.logs.values()].reduce((sum, log) => sum + log.of('turn.completed').length, 0),
    runs: all.length,
    longestRun: Math.max(...all.map(({ history }) => history.events?.length ?? 0)),
  };
}
