import type { AgentPin } from '../../contracts/agent';
import { DomainError } from '../../contracts/errors';
import type { LiveEntry, SessionEvent } from '../../contracts/events';
import type { ModelContexts } from '../../contracts/model-contexts';
import type { ModelPrices } from '../../contracts/prices';
import type { Errand, SessionRef } from '../../contracts/session';
import type { Tiers } from '../../contracts/tiers';
import type { Agents } from '../../ports/agents';
import type { Approvals } from '../../ports/approvals';
import type { AgentConfigs } from '../../ports/agent-configs';
import type { Attachments } from '../../ports/attachments';
import type { BudgetLedger } from '../../ports/budget-ledger';
import type { LiveEvents } from '../../ports/live-events';
import type { Memory } from '../../ports/memory';
import type { Model } from '../../ports/model';
import type { Places } from '../../ports/places';
import type { Questions } from '../../ports/questions';
import type { AppendInput, Appended, SessionDirectory, SessionLog, SessionMessages } from '../../ports/session-store';
import type { ToolLedger } from '../../ports/tool-ledger';
import type { TenantDirectory } from '../../ports/tenant-registry';
import type { Webhooks } from '../../ports/webhooks';
import type { Toolbox } from './tools';

export interface SessionStepDeps {
  readonly model: Model;
  readonly memory: Pick<Memory, 'recall' | 'remember' | 'forget'>;
  readonly log: SessionLog;
  readonly messages: SessionMessages;
  readonly attachments: Attachments;
  readonly sessions: SessionDirectory;
  readonly live: LiveEvents;
  readonly configs: AgentConfigs;
  readonly agents: Pick<Agents, 'get' | 'version'>;
  readonly toolbox: Toolbox;
  readonly ledger: ToolLedger;
  readonly directory: Pick<TenantDirectory, 'built'>;
  readonly tiers: Tiers;
  readonly places: Places;
  readonly approvals: Approvals;
  readonly questions: Questions;
  readonly webhooks: Webhooks;
  readonly budgetLedger: BudgetLedger;
  readonly prices: ModelPrices;
  readonly contexts: ModelContexts;
}

/** A user's turn in a session, and where the log stood when the workflow asked. */
export interface TurnInput extends SessionRef {
  readonly turnId: string;
  /** The version its session keeps to; absent: the tenant's own agent. */
  readonly agent?: AgentPin;
  /** What its session was opened for, by a call of another agent. */
  readonly errand?: Errand;
  /** Every event of this activity comes after it. */
  readonly after: number;
}

/** A session that knows of no log has one, as its tenant was restored: its workflow picks that up first. */
export const unread = (): DomainError => new DomainError('log/unread', 'The session has a past that its workflow does not know.');

/**
 * Writes one batch, and hands it to whoever listens. A repeated write is told again: the first may have died in between.
 * @param entriesOf - what is told of it when it is new. Default: itself.
 */
export async function record(
  { log, live }: Pick<SessionStepDeps, 'log' | 'live'>,
  { tenantId, sessionId }: SessionRef,
  batch: AppendInput,
  entriesOf = (events: readonly SessionEvent[]): readonly LiveEntry[] => events,
): Promise<Appended> {
  const session = { tenantId, sessionId };
  const written = await log.append(session, batch);
  live.publish(session, written.repeated ? written.events : entriesOf(written.events));
  return written;
}
