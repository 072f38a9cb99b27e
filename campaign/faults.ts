import type { z } from 'zod';
import type { Rule } from './wire/rules';

/** What can happen to a step. */
export const faultNames = ['refused', 'answer-lost', 'times-out', 'throttled', 'denied', 'half-done', 'killed', 'cancelled'] as const;
export type FaultName = (typeof faultNames)[number];

/** The SDK tries three times by itself: a fault that outlasts it reaches the operation. */
const attemptsOfSdk = 3;

type Hurt = Pick<z.input<typeof Rule>, 'fault' | 'count'>;

/** How a fault looks on the wire of a service: what happens to the first requests, and to those after them. */
export function faultsFor(name: FaultName, service: string): readonly [Hurt, ...Hurt[]] {
  // The step has taken effect, nobody knows, and it fails for good: only an undo that was registered before clears it away.
  if (name === 'half-done') return [{ fault: { kind: 'lose-answer' }, count: 1 }, faultFor('denied', service)];
  return [faultFor(name, service)];
}

function faultFor(name: Exclude<FaultName, 'half-done'>, service: string): Hurt {
  const isTemporal = service === 'temporal';
  switch (name) {
    case 'refused':
      return { fault: { kind: 'refuse', code: isTemporal ? 'INVALID_ARGUMENT' : 'InvalidRequestException', status: 400 }, count: 1 };
    case 'answer-lost':
      return { fault: { kind: 'lose-answer' }, count: attemptsOfSdk };
    case 'times-out':
      return { fault: { kind: 'never-answer' }, count: attemptsOfSdk };
    case 'throttled':
      return { fault: { kind: 'refuse', code: isTemporal ? 'RESOURCE_EXHAUSTED' : service === 's3' ? 'SlowDown' : 'ThrottlingException', status: service === 's3' ? 503 : 400 }, count: 5 };
    case 'denied':
      return { fault: { kind: 'refuse', code: isTemporal ? 'PERMISSION_DENIED' : deniedName(service), message: 'not allowed', status: 403 } };
    case 'killed':
    case 'cancelled':
      return { fault: { kind: 'hold' } };
  }
}

const deniedName = (service: string): string => (['s3', 'cloudformation', 'sts', 'iam'].includes(service) ? 'AccessDenied' : 'AccessDeniedException');
