import { readFile } from 'node:fs/promises';
import { type Cursor, EventBody, parseCursor, ReasoningDelta, TextDelta, textOfCursor } from '../../src/contracts/events';
import { codeOf, DomainError, errors, publicFailure } from '../../src/contracts/errors';
import { derivedId, newId } from '../../src/contracts/ids';
import { operationIdPattern, operationIds, scratchTenantId, sessionOfWorkflow, tenantOfOperation, tenantResources, workflowIds } from '../../src/contracts/names';
import { AgentConfig, AnyTenantId, TenantId } from '../../src/contracts/tenant';
import { SessionId } from '../../src/contracts/session';

describe('names', () => {
  it.each(['acme', 'a-b', 'x12', 'a'.repeat(32)])('takes %s as a tenant id', (id) => {
    expect(TenantId.safeParse(id).success).toBe(true);
  });

  it.each(['', 'ab', 'Acme', '1abc', '-abc', 'a_b', 'a.b', 'a/b', 'a'.repeat(33), 'acme\n', 'äöü'])('refuses %j as a tenant id', (id) => {
    expect(TenantId.safeParse(id).success).toBe(false);
  });

  it.each(['platform', 'certificates', 'reports', 'scratch-', 'scratch-0123456789'])('keeps %s from requests, not from its own records', (id) => {
    expect(TenantId.safeParse(id).error?.issues[0]?.message).toContain('reserved');
    expect(AnyTenantId.safeParse(id).success).toBe(true);
  });

  it.each(['platform-team', 'platforms', 'scratch', 'scratchy'])('takes %s, which only resembles a reserved one', (id) => {
    expect(TenantId.safeParse(id).success).toBe(true);
  });

  it('makes a scratch id of every operation', () => {
    expect(scratchTenantId(newId('operation'))).toMatch(/^scratch-[0-9a-z]{20}$/);
  });

  it('derives only names AWS allows, from the longest id', () => {
    const names = tenantResources('a'.repeat(32));
    expect(names.bucket).toMatch(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/);
    expect(names.role).toMatch(/^[\w+=,.@-]{1,64}$/);
    expect(names.stack).toMatch(/^[A-Za-z][A-Za-z0-9-]{0,127}$/);
    expect(tenantResources('a-b-c').memory).toMatch(/^[a-zA-Z][a-zA-Z0-9_]{0,47}$/);
    expect(names.memory.length).toBeLessThanOrEqual(48);
  });

  it('finds tenant and session again in an id', () => {
    expect(tenantOfOperation(operationIds.of('onboarding', 'a-b', newId('operation')))).toBe('a-b');
    expect(operationIds.of('offboarding', 'a-b', derivedId('operation', 'x'))).toMatch(operationIdPattern);
    expect(sessionOfWorkflow(workflowIds.session('a-b', 'ses-1'))).toBe('ses-1');
    expect(sessionOfWorkflow('a-b/operations/onboarding_a-b_1')).toBeUndefined();
  });
});

it('makes the same id of the same parts, and another of parts that only look the same', () => {
  expect(derivedId('turn', 'a', 'b')).toBe(derivedId('turn', 'a', 'b'));
  expect(derivedId('turn', 'a', 'b')).not.toBe(derivedId('turn', 'ab', ''));
  expect(SessionId.safeParse(newId('session')).success).toBe(true);
});

it.each([
  ['12', { seq: 12, n: 0 }],
  ['12.7', { seq: 12, n: 7 }],
  ['', undefined],
  ['1.2.3', undefined],
  ['-1', undefined],
  ['1e3', undefined],
])('reads the cursor %j', (text, cursor) => {
  expect(parseCursor(text)).toEqual(cursor);
});

it('writes the cursor it reads', () => {
  for (const text of ['12', '12.7', '0']) expect(textOfCursor(parseCursor(text) as Cursor)).toBe(text);
});

describe('errors', () => {
  it('finds the code below whatever wraps it, and tells nothing of a bug', () => {
    const wrapped = new Error('activity failed', { cause: new DomainError('model/throttled', 'The model is busy.') });
    expect(codeOf(wrapped)).toBe('model/throttled');
    expect(publicFailure(wrapped, 'turn/failed')).toEqual({ code: 'model/throttled', message: 'The model is busy.' });
    expect(publicFailure(new TypeError('x is undefined at secret.ts'), 'turn/failed')).toEqual({ code: 'turn/failed', message: errors['turn/failed'].title });
  });
});

it('gives an agent that was not configured everything it needs', () => {
  expect(AgentConfig.parse({})).toMatchObject({ modelId: 'anthropic.claude-3-5-sonnet-20241022-v2:0', maxStepsPerTurn: 12, allowedOrigins: [] });
});

it('every error users can get is in the documentation, as it is', async () => {
  const documented = await readFile('docs/api.md', 'utf8');
  const rows = Object.entries(errors).filter(([code]) => !code.startsWith('log/'));
  const missing = rows.map(([code, { status, title, retryable }]) => `| \`${code}\` | ${status} | ${title} | ${retryable ? 'yes' : ''} |`).filter((row) => !documented.includes(row));
  expect(missing).toEqual([]);
});

it('every event a log or stream has is in the documentation, and no other', async () => {
  const table = /### Event types[\s\S]*?(?=\n## )/.exec(await readFile('docs/api.md', 'utf8'))?.[0] ?? '';
  const documented = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, names = '']) => names.replaceAll('`', '').split(', '));
  const types = [...EventBody.options, TextDelta, ReasoningDelta].map(({ shape }) => shape.type.value);
  expect(documented.sort()).toEqual(types.sort());
});

it('every setting of an agent is in the documentation', async () => {
  const table = /## All settings[\s\S]*?(?=\n## )/.exec(await readFile('docs/how-to/agents.md', 'utf8'))?.[0] ?? '';
  const documented = [...table.matchAll(/^\| (`[^|]*`) \| [^|]* \| /gm)].flatMap(([, names = '']) => names.replaceAll('`', '').split(', '));
  expect(documented.sort()).toEqual(Object.keys(AgentConfig.shape).sort());
});
