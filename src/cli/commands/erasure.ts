import { setTimeout as delay } from 'node:timers/promises';
import type { SignedErasure } from '../../contracts/erasure';
import type { Operation } from '../../contracts/operation';
import { type Access, apiPath } from '../access';
import type { Cli } from '../cli';
import { command, type GroupSpec, shared } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { startOperation, type Waiting } from '../progress/run';
import { confirmDestruction, type Confirmation } from '../terminal/confirm';
import { type Column, timeOf } from '../terminal/table';
import { access as asUser, type AsUser } from './as-user';

interface Erasure {
  readonly operation?: Operation;
  readonly statement?: SignedErasure;
}

const lookAgainMs = 500;

const pathOf = (tenantId: string, operationId: string) => apiPath`/tenants/${tenantId}/erasures/${operationId}`;

const columns: readonly Column<SignedErasure['statement']['places'][number]>[] = [
  { title: 'place', of: ({ place }) => place },
  { title: 'before', of: ({ before }) => before },
  { title: 'now', of: ({ after }) => after },
  { title: 'checked', of: ({ checkedAt }) => timeOf(checkedAt) },
  { title: 'how', of: ({ call }) => call },
];

function show({ out }: Cli, erasure: Erasure): void {
  const { operation, statement: signed } = erasure;
  out.result(erasure, () => {
    if (!signed) return `${operation?.operationId ?? 'It'} is ${operation?.state ?? 'unknown'}, ${operation?.percent ?? 0} %.`;
    const { operationId, requestedAt, issuedAt, sessions, schedules, places, backups, kept } = signed.statement;
    const facts = { erasure: operationId, 'asked for': timeOf(requestedAt), issued: timeOf(issuedAt), sessions: sessions.length, schedules: schedules.length, 'older backups': backups.length, 'signed with': signed.key.kid };
    return [out.facts(facts), '', out.table(places, columns), '', ...kept.map(({ what, why }) => `Kept: ${what} (${why}).`)].join('\n');
  });
}

async function untilEnded(access: Access, tenantId: string, operationId: string): Promise<Erasure> {
  for (;;) {
    const erasure = await access.call<Erasure>(pathOf(tenantId, operationId));
    if (erasure.operation?.finishedAt !== undefined || erasure.operation === undefined) return erasure;
    await delay(lookAgainMs);
  }
}

export const eraseSession = command<AsUser & Waiting & Confirmation>({
  usage: 'erase <tenantId> <sessionId>',
  summary: 'erase a session everywhere, for good; ends with a signed statement',
  options: [shared.yes, shared.confirm, shared.noWait, shared.user],
  examples: ['tenure session erase acme ses-01k', 'tenure session erase acme ses-01k --yes --confirm ses-01k'],
  async run(cli, { user, wait = true, ...confirmation }, tenantId: string, sessionId: string) {
    await confirmDestruction(`This erases session ${sessionId} of ${tenantId} everywhere. It cannot be taken back.`, sessionId, confirmation);
    const access = await asUser(cli, tenantId, { user });
    const operation = await access.call<Operation>(`${apiPath`/tenants/${tenantId}/sessions/${sessionId}`}/erase`, { method: 'POST', body: {} });
    if (!wait) {
      cli.out.result(operation, () => operation.operationId);
      return;
    }
    const erasure = await untilEnded(access, tenantId, operation.operationId);
    show(cli, erasure);
    if (!erasure.statement) throw new CliFailure(exitCodes.failed, `The erasure ${operation.operationId} is ${erasure.operation?.state ?? 'gone'}.`);
  },
});

export const eraseUser = command<Waiting & Confirmation>({
  usage: 'erase <tenantId> <userId>',
  summary: 'erase all that is kept of a user, for good: sessions, schedules, facts; the account stays',
  options: [shared.yes, shared.confirm, shared.noWait],
  examples: ['tenure user erase acme 7f3c…'],
  async run(cli, { wait, ...confirmation }, tenantId: string, userId: string) {
    await confirmDestruction(`This erases all that is kept of user ${userId} of ${tenantId}: sessions, schedules, facts. It cannot be taken back.`, userId, confirmation);
    await startOperation(cli, `${apiPath`/tenants/${tenantId}/users/${userId}`}/erase`, { method: 'POST', body: {} }, { ...(wait !== undefined && { wait }) });
  },
});

const showOne = command<Partial<AsUser>>({
  usage: 'show <tenantId> <operationId>',
  summary: 'show what was erased, how that was checked, and what is kept',
  options: [{ flags: '--user <email>', description: 'as a user of the tenant who asked for it, at the local stack; as an operator when absent' }],
  async run(cli, { user }, tenantId: string, operationId: string) {
    const access = user === undefined ? await cli.operator() : await asUser(cli, tenantId, { user });
    show(cli, await access.call<Erasure>(pathOf(tenantId, operationId)));
  },
});

export const erasureCommands: GroupSpec = { name: 'erasure', summary: 'proof of what was erased', commands: [showOne] };
