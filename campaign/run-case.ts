import { setTimeout as delay } from 'node:timers/promises';
import { derivedId } from '../src/contracts/ids';
import { operationIds } from '../src/contracts/names';
import type { Operation } from '../src/contracts/operation';
import { type Case, type Expectation, expectationOf, idOf } from './cases';
import { faultsFor } from './faults';
import type { Lane } from './lane';
import { graceSeconds, rehearsalBegins, rehearsalHasRestored, rehearsalInText, triggers } from './points';
import type { Tenants } from './tenants-of-lane';
import { problemsOfGone, problemsOfSteps, problemsOfWhole } from './verdict';
import type { ActiveRule, RuleBook } from './wire/rules';

export interface CaseResult {
  readonly id: string;
  readonly kind: string;
  readonly step: string;
  readonly point: string;
  readonly direction: string;
  readonly fault: string;
  readonly passed: boolean;
  /** State the operation ended in; `undone` after a rest and `retry` is `undone (retried)`. */
  readonly outcome: string;
  readonly durationMs: number;
  /** How many requests the fault met. */
  readonly hits: number;
  readonly problems: readonly string[];
}

/** A tenant made for a rehearsal, and the operation that made it. */
type Scratch = Pick<Operation, 'tenantId' | 'operationId'>;

/** The fault, and which step of which operation (default: the case's) it may bring to rest. */
interface Target {
  readonly first: ActiveRule;
  readonly resting: { readonly operationId?: string; readonly step: string };
}

/** Offboardings of these cases rehearse the restore; the others do without, to be quicker. */
const rehearsed: ReadonlySet<string> = new Set(['rehearse_restore', 'grace_period', 'certificate']);

const pollMs = 200;
const hasEnded = ({ finishedAt }: Operation): boolean => finishedAt !== undefined;

/** Runs a case to its end, and judges it by what the API says, by what is there, and by what is not. */
export async function runCase(lane: Lane, tenants: Tenants, one: Case): Promise<CaseResult> {
  const startedAtMs = Date.now();
  const run = new CaseRun(lane, tenants, one);
  const problems = await run.conduct().catch((error: unknown) => [error instanceof Error ? error.message : String(error)]);
  const { kind, step, direction, fault, point } = one;
  return { id: idOf(one), kind, step, point: point.name, direction, fault, passed: problems.length === 0, outcome: run.outcome, durationMs: Date.now() - startedAtMs, hits: run.hits, problems };
}

class CaseRun {
  outcome = 'did not begin';
  private rules: readonly ActiveRule[] = [];
  private trigger: ActiveRule | undefined;
  private readonly endWatches: (() => void)[] = [];
  /** The rehearsals of the operation, as the wire told. */
  private readonly rehearsals: Scratch[] = [];
  private readonly expected: Expectation;

  constructor(
    private readonly lane: Lane,
    private readonly tenants: Tenants,
    private readonly one: Case,
  ) {
    this.expected = expectationOf(one);
  }

  get hits(): number {
    return this.rules.reduce((sum, { hits }) => sum + hits, 0);
  }

  /** @returns what is wrong. */
  async conduct(): Promise<string[]> {
    const { kind } = this.one;
    const tenantId = kind === 'onboarding' ? this.tenants.newId() : await this.tenants.take();
    if (kind === 'offboarding' && this.one.step === 'drain') await (await this.lane.user(tenantId)).open().then((sessionId) => this.talk(tenantId, sessionId));
    try {
      return await this.attack(tenantId);
    } finally {
      this.remove();
      this.trigger?.remove();
      for (const end of this.endWatches) end();
    }
  }

  /** So that there is a session to be drained. */
  private async talk(tenantId: string, sessionId: string): Promise<void> {
    await (await this.lane.user(tenantId)).ask(sessionId, 'What is 17*23?');
  }

  private async attack(tenantId: string): Promise<string[]> {
    const placed = this.place(tenantId);
    if (this.one.direction === 'undo') this.placeTrigger(tenantId);
    const operationId = this.begin(tenantId);
    const target = await Promise.race([placed, this.lane.awaitEnd(operationId).then(() => undefined)]);
    const problems = target ? await this.meddle(operationId, target) : [];
    const ended = await this.lane.awaitEnd(operationId);
    this.outcome = this.expected.getsStuck ? `${ended.state} (stuck, then retried)` : ended.state;
    return [...problems, ...this.problemsOfAccount(ended), ...(await this.problemsOfEnd(ended))];
  }

  /** Puts the fault in its place, at once or as soon as the rehearsal has a name. */
  private place(tenantId: string): Promise<Target> {
    const { point, step } = this.one;
    return new Promise((resolve) => {
      this.watch(rehearsalBegins(tenantId), (text) => {
        const heard = rehearsalInText.exec(text)?.groups as Scratch | undefined;
        if (!heard || this.rehearsals.some(({ tenantId: known }) => known === heard.tenantId)) return;
        this.rehearsals.push({ tenantId: heard.tenantId, operationId: heard.operationId });
        if (point.rehearsal !== undefined && this.rehearsals.length === 1)
          resolve({ first: this.placeFault(heard.tenantId), resting: { operationId: heard.operationId, step: point.rehearsal } });
      });
      const place = () => resolve({ first: this.placeFault(tenantId), resting: { step } });
      if (point.after)
        this.watch(point.after(tenantId), () => {
          if (this.rules.length === 0) place();
        });
      else if (point.rehearsal === undefined) place();
    });
  }

  private placeFault(tenantId: string): ActiveRule {
    const { fault, point } = this.one;
    const match = point.match(tenantId);
    const [first, ...others] = faultsFor(fault, match.service);
    const rule = this.lane.rules.add({ match, ...first });
    this.rules = [rule, ...others.map((hurt) => this.lane.rules.add({ match, ...hurt }))];
    return rule;
  }

  /** What makes the operation, or its rehearsal, fail once it has done what can be undone. */
  private placeTrigger(tenantId: string): void {
    const { kind, step } = this.one;
    const { match, fault } = triggers[kind];
    const place = () => void (this.trigger ??= this.lane.rules.add({ match: match(tenantId), fault }));
    if (step === 'rehearse_restore') this.watch(rehearsalHasRestored(tenantId), place);
    else place();
    // A stack whose bucket is not emptied first is not deleted: by then there is something in it.
    if (kind === 'onboarding') this.watch(match(tenantId), () => this.lane.keepObject(tenantId));
  }

  private watch(match: Parameters<RuleBook['watch']>[0], onText: (text: string) => Promise<void> | void): void {
    this.endWatches.push(this.lane.rules.watch(match, ({ text }) => onText(text)));
  }

  private remove(): void {
    for (const rule of this.rules) rule.remove();
  }

  /** The caller is answered once the first step stands, or with what hurt it; the operation is known by its key before. @returns its id. */
  private begin(tenantId: string): string {
    const { kind, step } = this.one;
    const key = idOf(this.one);
    const asked = kind === 'onboarding' ? this.lane.beginOnboarding(tenantId, key) : this.lane.beginOffboarding(tenantId, key, { graceSeconds: step === 'grace_period' ? graceSeconds : 0, isRehearsed: rehearsed.has(step) });
    asked.catch(() => undefined);
    return operationIds.of(kind, tenantId, derivedId('operation', kind, tenantId, key));
  }

  /** Does what the case wants done while the operation runs. */
  private async meddle(operationId: string, { first: rule, resting }: Target): Promise<string[]> {
    const { fault, point } = this.one;
    if (fault === 'killed' || fault === 'cancelled') {
      if (!(await this.reached(operationId, rule))) return [];
      // Nothing is answered for a workflow whose own task is held.
      if (point.carriesWorkflow) rule.remove();
      if (fault === 'killed') this.lane.killWorker();
      const answer = fault === 'cancelled' ? await this.lane.steer(operationId, 'cancel') : undefined;
      rule.remove();
      return answer === this.expected.cancelAnswer ? [] : [`cancelling was answered with ${answer ?? 'nothing'}, not ${this.expected.cancelAnswer ?? 'nothing'}`];
    }
    if (fault === 'denied' && (point.carriesWorkflow === true || point.deniedBriefly !== undefined)) {
      await this.reached(operationId, rule);
      rule.remove();
    }
    return this.expected.getsStuck ? this.repair(resting.operationId ?? operationId, resting.step) : [];
  }

  /** @returns false when the operation ended before any request met the rule. */
  private async reached(operationId: string, rule: ActiveRule): Promise<boolean> {
    return Promise.race([rule.reached.then(() => true), this.lane.awaitEnd(operationId).then(() => false)]);
  }

  /** Waits until the step rests, checks that it shows, removes what is in its way and says `retry`. */
  private async repair(operationId: string, step: string): Promise<string[]> {
    const resting = this.one.direction === 'undo' ? 'undo_failed' : 'stuck';
    const seen = await this.lane.awaitOperation(operationId, (operation) => hasEnded(operation) || operation.steps.some(({ name, state }) => name === step && state === resting));
    const problems = seen.stuck ? [] : [`it is not shown as stuck while ${step} is denied`];
    if (!seen.steps.some(({ name, error }) => name === step && error !== undefined)) problems.push(`${step} does not say what is wrong with it`);
    if (!(await this.isListedAsStuck(seen))) problems.push('it is not in the list of stuck operations');
    this.remove();
    if (hasEnded(seen)) return problems;
    const answer = await this.lane.steer(operationId, 'retry');
    return answer === 'accepted' ? problems : [...problems, `retry was answered with ${answer}`];
  }

  /** The list lags behind. */
  private async isListedAsStuck({ tenantId, operationId }: Operation): Promise<boolean> {
    for (let look = 0; look < 25; look += 1) {
      const { data } = await this.lane.call<{ data: { operationId: string }[] }>('GET', `operations?stuck=true&tenantId=${tenantId}`);
      if (data.some((one) => one.operationId === operationId)) return true;
      await delay(pollMs);
    }
    return false;
  }

  private problemsOfAccount(ended: Operation): string[] {
    const { outcome, code } = this.expected;
    const { point, step } = this.one;
    return [
      ...(this.hits > 0 ? [] : ['no request met the fault: campaign/points.ts names a request that the step does not make']),
      ...(ended.state === outcome ? [] : [`it ended ${ended.state}, not ${outcome}${ended.error ? ` (${ended.error.code}: ${ended.error.message})` : ''}`]),
      ...(code === undefined || ended.error?.code === code ? [] : [`it says ${ended.error?.code ?? 'no code'}, not ${code}`]),
      ...(ended.state === 'undone' && ended.error === undefined ? ['it does not say why it was undone'] : []),
      ...problemsOfSteps(ended, point.deniedInVain === undefined ? undefined : step),
    ];
  }

  private async problemsOfEnd(ended: Operation): Promise<string[]> {
    const isThere = (this.one.kind === 'onboarding') === (ended.state === 'completed');
    const problems = isThere
      ? await problemsOfWhole(this.lane, ended, this.tenants.whole)
      : await problemsOfGone(this.lane, ended, this.one.kind === 'offboarding');
    if (isThere && problems.length === 0) this.tenants.giveBack(ended.tenantId);
    const scratch = await Promise.all(this.rehearsals.map((rehearsal) => problemsOfGone(this.lane, rehearsal, false)));
    return [...problems, ...scratch.flat(), ...this.lane.takeOrderProblems(ended.tenantId), ...(await this.tenants.problemsOfBystander())];
  }
}
