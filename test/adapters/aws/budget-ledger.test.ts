/** @jest-environment ./test/support/outer-errors.ts */
import { DeleteCommand } from '@aws-sdk/lib-dynamodb';
import { MockActivityEnvironment } from '@temporalio/testing';
import { holdBudget } from '../../../src/activities/session/step-budget';
import { createBudgetLedger } from '../../../src/adapters/aws/budget-ledger';
import { createTenantAccess } from '../../../src/adapters/aws/tenant-access';
import type { Amounts, Budget, BudgetLevel, Reservation } from '../../../src/contracts/budget';
import { newId } from '../../../src/contracts/ids';
import { tableKeys, tenantResources } from '../../../src/contracts/names';
import { AgentConfig } from '../../../src/contracts/tenant';
import { committed, emptyCounter, noAmounts } from '../../../src/domain/budgets';
import { tiersWith } from '../../../src/domain/tiers';
import type { StepRef } from '../../../src/ports/budget-ledger';
import { openLossyLine } from './lost-answers';
import { access, aws, configs, directory, settings, standingPlatform, standingTenant } from './tenants';

const ledger = createBudgetLedger({ access });

let tenantId: string;
beforeAll(async () => {
  await standingPlatform();
  ({ tenantId } = await standingTenant());
});

const of = (tokens: number): Amounts => ({ microUsd: tokens * 3, tokens, modelCalls: 1 });
const level = (name: BudgetLevel, counter: string, limit: Budget) => ({ level: name, counter, limit });
const newStep = (): StepRef => ({ tenantId, sessionId: newId('session'), turnId: newId('turn'), step: 1 });
const held = (tokens: number, counters: readonly string[], holder = newId('request')): Reservation => ({ holder, amounts: of(tokens), counters });
const counterOf = async (name: string) => (await ledger.counters(tenantId, [name]))[name] ?? emptyCounter;

it('holds against all levels or none, and says which has not enough', async () => {
  const [day, month] = [newId('turn'), newId('turn')];
  const levels = [level('tenantDay', day, { tokens: 100 }), level('tenantMonth', month, { microUsd: 200 })];
  expect(await ledger.reserve(newStep(), held(60, [day, month]), levels)).toBeUndefined();
  expect(await ledger.reserve(newStep(), held(41, [day, month]), levels)).toEqual({ level: 'tenantDay', unit: 'tokens' });
  expect(await ledger.reserve(newStep(), held(7, [day, month]), levels)).toEqual({ level: 'tenantMonth', unit: 'microUsd' });
  expect(await ledger.reserve(newStep(), held(101, [day]), levels.slice(0, 1))).toEqual({ level: 'tenantDay', unit: 'tokens' });
  expect(await counterOf(day)).toEqual({ ...emptyCounter, reserved: of(60) });
  expect(await counterOf(month)).toEqual({ ...emptyCounter, reserved: of(60) });
});

it('counts an ending once, however often it is told, and takes nothing from whom took over', async () => {
  const day = newId('turn');
  const levels = [level('tenantDay', day, { tokens: 1_000 })];
  const step = newStep();
  const [first, second] = [held(100, [day]), held(100, [day])];
  await ledger.reserve(step, first, levels);
  // The answer got lost on the way, and it is asked again.
  expect(await ledger.reserve(step, first, levels)).toBeUndefined();
  await ledger.reserve(step, second, levels);
  expect(await counterOf(day)).toEqual({ ...emptyCounter, reserved: of(100), lost: of(100) });
  await ledger.close(step, first, { settled: of(10) });
  expect(await ledger.held(step)).toEqual(second);
  for (let times = 0; times < 3; times += 1) await ledger.close(step, second, { settled: of(10) });
  expect(await counterOf(day)).toEqual({ ...emptyCounter, settled: of(10), lost: of(100) });
  expect(await ledger.held(step)).toBeUndefined();
  expect(await ledger.heldOf(step, step.turnId)).toEqual([]);
});

it('counts a dead attempt as lost once, though two take over from it', async () => {
  const line = await openLossyLine();
  const day = newId('turn');
  const levels = [level('tenantDay', day, { tokens: 1_000 })];
  const step = newStep();
  const [dead, first, second] = [held(100, [day]), held(10, [day]), held(1, [day])];
  await ledger.reserve(step, dead, levels);
  const late = createBudgetLedger({ access: createTenantAccess({ sts: aws.sts, settings: line.settings }) });
  const found = line.holdNext('GetItem');
  const takenOver = late.reserve(step, second, levels);
  await found.reached;
  await ledger.reserve(step, first, levels);
  found.release();
  expect(await takenOver).toBeUndefined();
  expect(await counterOf(day)).toEqual({ ...emptyCounter, reserved: of(1), lost: { ...of(110), modelCalls: 2 } });
  line.close();
});

it('tries again when another transaction is just at its counters', async () => {
  const line = await openLossyLine();
  const day = newId('turn');
  const levels = [level('tenantDay', day, { tokens: 100 })];
  await ledger.reserve(newStep(), held(60, [day]), levels);
  const meeting = createBudgetLedger({ access: createTenantAccess({ sts: aws.sts, settings: line.settings }) });
  const conflicts = line.rewriteNext('TransactWriteItems', 'ConditionalCheckFailed', 'TransactionConflict');
  expect(await meeting.reserve(newStep(), held(60, [day]), levels)).toEqual({ level: 'tenantDay', unit: 'tokens' });
  expect(conflicts()).toBe(1);
  line.close();
});

it('lets no more through than there is, however many ask at once, and gives back what was not used', async () => {
  const day = newId('turn');
  const levels = [level('tenantDay', day, { tokens: 100 })];
  const all = Array.from({ length: 12 }, () => ({ step: newStep(), reservation: held(20, [day]) }));
  const refused = await Promise.all(all.map(({ step, reservation }) => ledger.reserve(step, reservation, levels)));
  const letIn = all.filter((_one, index) => refused[index] === undefined);
  expect(letIn).toHaveLength(5);
  await Promise.all(letIn.map(({ step, reservation }, index) => ledger.close(step, reservation, index < 2 ? {} : index < 4 ? { settled: of(5) } : { wasted: of(1) })));
  const counter = await counterOf(day);
  expect(counter).toEqual({ reserved: noAmounts, settled: { microUsd: 30, tokens: 10, modelCalls: 2 }, wasted: of(1), lost: noAmounts });
  expect(await ledger.reserve(newStep(), held(100 - committed(counter).tokens, [day]), levels)).toBeUndefined();
});

it('asks no model that nobody has priced, where dollars are limited', async () => {
  const deps = { budgetLedger: ledger, prices: {}, contexts: {}, configs, directory, tiers: tiersWith({ standard: { budgets: { session: { microUsd: 1_000_000 } } } }) };
  const agent = AgentConfig.parse({ modelId: 'nobody.knows-its-price' });
  const step = newStep();
  await expect(holdBudget(deps, { ...step, userId: 'ada' }, agent, () => ({ bytes: 100, characters: 100, attached: { mostTokens: 0, likelyTokens: 0 } }))).rejects.toMatchObject({ code: 'model/no-price' });
  expect(await ledger.held(step)).toBeUndefined();
});

it('lets no step begin while nobody can write down what it holds', async () => {
  const nowhere = createTenantAccess({ sts: aws.sts, settings: { ...settings, endpoint: 'http://127.0.0.1:1' } });
  const deps = { budgetLedger: createBudgetLedger({ access: nowhere }), prices: {}, contexts: {}, configs, directory, tiers: tiersWith({ standard: { budgets: { session: { tokens: 1_000_000 } } } }) };
  const step = { ...newStep(), userId: 'ada' };
  const begun = new MockActivityEnvironment().run(() => holdBudget(deps, step, AgentConfig.parse({}), () => ({ bytes: 100, characters: 100, attached: { mostTokens: 0, likelyTokens: 0 } })));
  await expect(begun).rejects.toMatchObject({ code: 'dependency/unavailable' });
});

it('lists who waits for more', async () => {
  const session = { tenantId, sessionId: newId('session') };
  const waiting = async () => {
    const found: string[] = [];
    for await (const { sessionId } of ledger.waiting(tenantId)) found.push(sessionId);
    return found;
  };
  await ledger.noteWaiting(session, true);
  await ledger.noteWaiting(session, true);
  expect(await waiting()).toEqual([session.sessionId]);
  await ledger.noteWaiting(session, false);
  expect(await waiting()).toEqual([]);
});

it('reads a figure that a restore of an earlier version left below nothing as nothing', async () => {
  const [day, step] = [newId('turn'), newStep()];
  const reservation = held(60, [day]);
  await ledger.reserve(step, reservation, []);
  // As that restore did, which had read the counter before the step began.
  await access.clients(tenantId, 'usage').table.send(new DeleteCommand({ TableName: tenantResources(tenantId).table, Key: { pk: tableKeys.budget(day), sk: tableKeys.budgetCounter() } }));
  await ledger.close(step, reservation, {});
  expect(await counterOf(day)).toEqual(emptyCounter);
  expect(await ledger.reserve(newStep(), held(101, [day]), [level('tenantDay', day, { tokens: 100 })])).toEqual({ level: 'tenantDay', unit: 'tokens' });
});
