import { operationSteps } from '../src/contracts/names';
import { type FaultName, faultNames } from './faults';
import { campaignKinds, type CampaignKind, type Point, points, type StepPoints, triggers } from './points';

export type Direction = 'forward' | 'undo';

/** How an operation may end. */
export type Outcome = 'completed' | 'undone' | 'cancelled';

/** One fault at one request of one step, while the operation goes forward or is being undone. */
export interface Case {
  readonly kind: CampaignKind;
  readonly step: string;
  readonly direction: Direction;
  readonly point: Point;
  readonly fault: FaultName;
}

export const idOf = ({ kind, step, direction, point, fault }: Case): string => `${kind}/${step}/${direction}/${point.name.replaceAll(' ', '-')}/${fault}`;

/** Every step × request × fault × direction. */
export const allCases = (): Case[] =>
  campaignKinds.flatMap((kind) =>
    operationSteps[kind].flatMap((step) => {
      const { forward, undo = [] } = pointsOf(kind, step);
      const each = (direction: Direction, of: readonly Point[]) => of.flatMap((point) => faultNames.map((fault) => ({ kind, step, direction, point, fault })));
      return [...each('forward', forward), ...each('undo', undo)].filter(canBe);
    }),
  );

/** Half done is what can be given up, by who does it: of an answer to Temporal, the first half is the whole. */
const canBe = (one: Case): boolean => one.fault !== 'half-done' || (one.direction === 'forward' && one.point.match('').service !== 'temporal' && isGivenUp(one));

/** @throws Error when the step has no row: see {@link points}. */
export function pointsOf(kind: CampaignKind, step: string): StepPoints {
  const row = (points[kind] as Readonly<Record<string, StepPoints | undefined>>)[step];
  if (!row) throw new Error(`campaign/points.ts has no row for step "${step}" of ${kind}: say there what it asks of whom.`);
  return row;
}

/** Past it, an operation only goes forward. */
const lastReversible = { onboarding: 'smoke_turn', offboarding: 'grace_period' } as const satisfies Record<CampaignKind, string>;

export function isReversible({ kind, step }: Pick<Case, 'kind' | 'step'>): boolean {
  const steps: readonly string[] = operationSteps[kind];
  return steps.indexOf(step) <= steps.indexOf(lastReversible[kind]);
}

/** Of a rehearsal: from its comparison on, it only clears away. */
function isRehearsalReversible({ rehearsal }: Point): boolean {
  const steps: readonly string[] = operationSteps.rehearsal;
  return rehearsal === undefined || steps.indexOf(rehearsal) <= steps.indexOf('compare');
}

/** Whether a denial for good ends it. Activation is the one step past the point of no return that destroys nothing: it is given up and undone. */
const isGivenUp = (one: Case): boolean => (isReversible(one) || one.step === 'activate') && isRehearsalReversible(one.point);

/** What must come of a case. */
export interface Expectation {
  readonly outcome: Outcome;
  /** The step rests and shows it, until what is in the way is removed and an operator says `retry`. */
  readonly getsStuck: boolean;
  /** What the API answers to a cancellation. */
  readonly cancelAnswer?: 'accepted' | 'operation/not-cancellable';
  /** Why it was undone, if the case says. */
  readonly code?: string;
}

export function expectationOf(one: Case): Expectation {
  const { direction, fault, kind, point } = one;
  // Its rehearsal is being undone, the offboarding itself goes forward: it can be cancelled.
  if (direction === 'undo' && point.rehearsal !== undefined && fault === 'cancelled') return { outcome: 'cancelled', getsStuck: false, cancelAnswer: 'accepted' };
  if (direction === 'undo')
    return { outcome: 'undone', getsStuck: fault === 'denied', code: triggers[kind].code, ...(fault === 'cancelled' && { cancelAnswer: 'operation/not-cancellable' }) };
  if (fault === 'cancelled')
    return isReversible(one) ? { outcome: 'cancelled', getsStuck: false, cancelAnswer: 'accepted' } : { outcome: 'completed', getsStuck: false, cancelAnswer: 'operation/not-cancellable' };
  if (fault === 'half-done' && point.looksFirst === true) return { outcome: 'completed', getsStuck: false };
  if ((fault === 'denied' || fault === 'half-done') && !isDenialHarmless(point)) return isGivenUp(one) ? { outcome: 'undone', getsStuck: false } : { outcome: 'completed', getsStuck: true };
  return { outcome: 'completed', getsStuck: false };
}

/** It is allowed again, or the step does without. */
const isDenialHarmless = ({ carriesWorkflow, deniedBriefly, deniedInVain }: Point): boolean => carriesWorkflow === true || (deniedBriefly ?? deniedInVain) !== undefined;

/** Its worker is killed, or the whole worker is hurt: nobody else works in that lane meanwhile. */
export const isAlone = ({ fault, point }: Case): boolean => fault === 'killed' || point.isShared === true;
