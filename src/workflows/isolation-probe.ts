import { CancellationScope, continueAsNew, isCancellation, uuid4 } from '@temporalio/workflow';
import type { ProbeSummary } from '../contracts/isolation';
import type { Finding } from '../contracts/maintenance';
import { probeUserEmail } from '../contracts/names';
import { type ProbePair, probesToMarkdown } from '../domain/isolation-probe';
import { completeOperation, uniqueOf } from './child-operation';
import { failureText, Inspection } from './inspection';
import type { PlatformJobInput } from './inspections';
import { chooseForProbe, probeTenant, removeProbeUser } from './maintenance-activities';

interface IsolationProbeInput extends PlatformJobInput {
  /** Of the runs before. */
  readonly probes?: readonly ProbeSummary[];
}

/** Has each tenant that works try to get at another, with its own token and credentials. See docs/security.md. */
export async function isolationProbe(input: IsolationProbeInput = {}) {
  const { tenantIds, progress } = input;
  const inspection = new Inspection(progress);
  const probes = [...(input.probes ?? [])];
  const pairs = new Map<string, ProbePair>();
  const page = async (cursor: string | undefined) => {
    const { pairs: chosen, nextCursor } = await chooseForProbe({ at: inspection.progress.startedAt, tenantIds, cursor });
    for (const pair of chosen) pairs.set(pair.tenantId, pair);
    return { tenantIds: chosen.map(({ tenantId }) => tenantId), nextCursor };
  };
  const inspect = async (tenantId: string): Promise<Finding[]> => {
    const pair = pairs.get(tenantId);
    if (!pair) return [];
    const { summary, findings, suspend } = await probeWithUser(pair);
    probes.push(summary);
    return suspend ? [...findings, await suspendIntruder(tenantId)] : findings;
  };
  const isDone = await inspection.all(page, inspect, () => probesToMarkdown(probes));
  if (!isDone) await continueAsNew<typeof isolationProbe>({ ...input, progress: inspection.progress, probes });
  if (inspection.progress.tenants === 0) await inspection.one('the platform', () => Promise.resolve([nobodyToProbe]));
  return inspection.publish('isolation_probe', { probes });
}

const nobodyToProbe: Finding = { kind: 'isolation/untested', subject: 'the platform', message: 'Fewer than two tenants work: nobody could try to get at another.', repair: 'none' };

/** The user it signs in with goes again, whatever becomes of the probe: that is settled before there is one. */
async function probeWithUser(pair: ProbePair) {
  const user = { tenantId: pair.tenantId, email: probeUserEmail(uuid4()) };
  try {
    return await probeTenant({ ...pair, email: user.email });
  } finally {
    await CancellationScope.nonCancellable(() => removeProbeUser(user));
  }
}

async function suspendIntruder(tenantId: string): Promise<Finding> {
  const finding = { kind: 'isolation/suspended', tenantId, subject: tenantId };
  try {
    const { operationId } = await completeOperation('suspension', { tenantId, turns: 'pause' }, uniqueOf(uuid4()));
    return { ...finding, message: `It is suspended, since it got at another tenant: operation ${operationId}. Resume it when the way is closed.`, repair: 'none' };
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { ...finding, message: `It got at another tenant, and could not be suspended: ${failureText(error)}`, repair: 'failed' };
  }
}
