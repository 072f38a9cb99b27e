import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AdminCreateUserCommand } from '@aws-sdk/client-cognito-identity-provider';
import { z } from 'zod';
import { createPlatformClients } from '../../src/adapters/aws/clients';
import { randomPassword } from '../../src/adapters/aws/passwords';
import { ApiKey } from '../../src/contracts/access';
import { BackupSummary } from '../../src/contracts/backup';
import { SignedCertificate } from '../../src/contracts/certificate';
import { OwnedResource } from '../../src/contracts/inventory';
import { Operation, OperationSummary } from '../../src/contracts/operation';
import { SessionRecord } from '../../src/contracts/session';
import { AgentConfig, TenantRecord } from '../../src/contracts/tenant';
import { type RunningPlatform, runPlatform } from '../../campaign/running-platform';
import { Desk } from '../cli/tenure';

const Chatted = z.object({ sessionId: z.string(), turnId: z.string() });

let platform: RunningPlatform;
/** Beside the local stack, and far from it. */
let desk: Desk;
let afar: Desk;
let apiUrl: string;

beforeAll(async () => {
  platform = await runPlatform();
  ({ apiUrl } = platform.settings);
  [desk, afar] = await Promise.all([Desk.make(platform.settings), Desk.make()]);
  expect(await desk.run(['tenant', 'create', 'acme', '--name', 'Acme\u001b[2J Inc.'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/completed +reserve.*onboarding of acme: completed\n$/s) as unknown });
});
afterAll(async () => {
  await Promise.all([desk.remove(), afar.remove()]);
  await platform.stop();
});

const smoke = 'This is a test of the connection';

/** An onboarding that waits in its first conversation until the model is let go. */
async function heldOnboarding(tenantId: string): Promise<string> {
  await platform.model.script({ match: smoke, steps: [{ say: 'yes', holdAfter: 0 }, { say: 'yes' }] });
  const { operationId } = Operation.parse(await desk.json(['tenant', 'create', tenantId, '--no-wait']));
  while ((await platform.model.holding(smoke)) === 0) await delay(20);
  return operationId;
}

describe('results', () => {
  it('are those of the API, with --json', async () => {
    const [tenant] = z.array(TenantRecord).parse(await desk.json(['tenant', 'list']));
    expect(tenant).toEqual(TenantRecord.parse(await desk.json(['tenant', 'show', 'acme'])));
    const { operationId = '' } = tenant ?? {};
    expect(Operation.parse(await desk.json(['operation', 'show', operationId]))).toMatchObject({ operationId, state: 'completed', percent: 100 });
    expect((await desk.run(['operation', 'watch', operationId, '--json'])).stdout.trim().split('\n').map((line) => Operation.parse(JSON.parse(line)).state)).toEqual(['completed']);
    expect(await desk.json(['session', 'chat', 'acme', 'What is 6*7?'])).toMatchObject({ outcome: 'completed', answer: expect.stringContaining('42') as unknown });
    expect(z.array(SessionRecord).parse(await desk.json(['session', 'list', 'acme'])).length).toBeGreaterThan(0);
    for (let listed: OperationSummary[] = []; listed.length === 0; ) listed = z.array(OperationSummary).parse(await desk.json(['operation', 'list', '--tenant', 'acme', '--since', '1h']));
    expect(await desk.json(['operation', 'list', '--until', '1h'])).toEqual([]);
  });

  it('are aligned for people, and what others wrote steers no terminal', async () => {
    const { stdout } = await desk.run(['tenant', 'list']);
    const [head = '', row = ''] = stdout.split('\n');
    expect(head).toMatch(/^TENANT +STATUS +TIER +CREATED +NAME$/);
    expect(row.indexOf('active')).toBe(head.indexOf('STATUS'));
    expect(row).toMatch(/Acme \[2J Inc\.$/);
  });

  it('have colours at a terminal only, and not where nobody wants them', async () => {
    const shown = async (env = {}) => {
      const terminal = desk.terminal('tenure tenant list', env);
      expect(await terminal.ended).toBe(0);
      return terminal.screen.includes('\u001b[1m');
    };
    expect([await shown(), await shown({ NO_COLOR: '1' }), (await desk.run(['tenant', 'list'])).stdout.includes('\u001b')]).toEqual([true, false, false]);
  });

  it('go on in the session that was begun', async () => {
    const first = await desk.run(['session', 'chat', 'acme', 'Store my preference: color=blue']);
    const [, sessionId = ''] = /go on with --session (\S+)\)/.exec(first.stderr) ?? [];
    expect((await desk.run(['session', 'chat', 'acme', 'Hello again', '--session', sessionId])).code).toBe(0);
    expect(await desk.json(['session', 'show', 'acme', sessionId])).toMatchObject({ sessionId, status: { turnCount: 2 } });
  });
});

it.each(['SIGTERM', 'SIGKILL'] as const)('goes on with an answer in whose middle the API ends by %s', async (signal) => {
  const prompt = `Count on, ${signal}.`;
  await platform.model.script({ match: prompt, steps: [{ say: 'one two three four', holdAfter: 2 }] });
  const chat = desk.run(['session', 'chat', 'acme', prompt]);
  while ((await platform.model.holding(prompt)) === 0) await delay(20);
  const { api } = platform.services;
  await api.stop(signal);
  await api.start();
  await platform.model.release(prompt);
  expect(await chat).toMatchObject({ code: 0, stdout: 'one two three four\n' });
});

it.each(['SIGTERM', 'SIGKILL'] as const)('says something once although the API ends by %s before anything of it was heard', async (signal) => {
  const { api, worker } = platform.services;
  const sessionIds = async () => z.array(SessionRecord.pick({ sessionId: true })).parse(await desk.json(['session', 'list', 'acme'])).map(({ sessionId }) => sessionId);
  const before = new Set(await sessionIds());
  await worker.stop();
  const chat = desk.run(['session', 'chat', 'acme', `Say this once, ${signal}.`]);
  let sessionId: string | undefined;
  while (sessionId === undefined) sessionId = (await sessionIds()).find((id) => !before.has(id));
  await api.stop(signal);
  await Promise.all([api.start(), worker.start()]);
  expect(await chat).toMatchObject({ code: 0 });
  expect(await desk.json(['session', 'show', 'acme', sessionId])).toMatchObject({ status: { turnCount: 1 } });
});

it('says why a turn failed', async () => {
  await platform.model.script({ match: 'Fail for good.', steps: [{ fail: { kind: 'validation' } }] });
  expect(await desk.run(['session', 'chat', 'acme', 'Fail for good.'])).toMatchObject({ code: 1, stderr: expect.stringContaining('The turn ended as failed: model/refused: ') as unknown });
});

it('sets limits side by side, whoever sets another one at the same time', async () => {
  const levels = ['session', 'userDay', 'tenantDay', 'tenantMonth'];
  await Promise.all(levels.map((level) => desk.json(['tenant', 'budgets', 'acme', '--set', `${level}.modelCalls=1000`])));
  expect(await desk.json(['tenant', 'budgets', 'acme'])).toMatchObject({ operator: Object.fromEntries(levels.map((level) => [level, { modelCalls: 1_000 }])) });
  expect(await desk.json(['tenant', 'budgets', 'acme', '--none'])).toMatchObject({ operator: {} });
});

it('takes back what a turn did, says what, and not twice', async () => {
  const { sessionId, turnId } = Chatted.parse(await desk.json(['session', 'chat', 'acme', 'Remember: my preference word is teal']));
  const undo = ['session', 'undo', 'acme', sessionId, turnId];
  expect(await desk.run(undo)).toMatchObject({ code: 0, stdout: 'Taken back: 1. Not taken back: 0.\n', stderr: expect.stringContaining('remember: taken back') as unknown });
  expect(await desk.run(undo)).toMatchObject({ code: 0, stdout: 'There was nothing to take back.\n' });
  const unknown = await desk.run(['session', 'undo', 'acme', sessionId, 'turn-none']);
  expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining('turn/not-found')]);
});

it('has whoever sits at the terminal answer the agent, and takes answers from elsewhere', async () => {
  await desk.write('asking.json', JSON.stringify({ tools: ['ask_user'] }));
  await desk.json(['agent', 'create', 'acme', 'asking', '--file', 'asking.json']);
  const terminal = desk.terminal('tenure session chat acme "Ask me which one [red\u001b[2J, blue]." --agent asking');
  await terminal.saw(/which one\?.*1 {2}red \[2J.*2 {2}blue.*> /s);
  terminal.type('3\n');
  await terminal.saw('is not among the options');
  terminal.type('2\n');
  await terminal.saw('You said: blue.');
  expect(await terminal.ended).toBe(0);
  const sessionId = /--session (ses-\w+)/.exec(terminal.screen)?.[1] ?? '';
  const chat = desk.run(['session', 'chat', 'acme', 'Ask me which ones [any of red, blue].', '--session', sessionId]);
  const { accessToken: token } = await platform.accounts.userTokens('acme', 'you@example.com');
  const latest = async () => (await platform.api.call<{ data: { questionId: string; state: string }[] }>(`/api/v1/tenants/acme/sessions/${sessionId}/questions`, { token })).data[0];
  // No faster than a user may ask.
  while ((await latest())?.state !== 'waiting') await delay(1_000);
  const { questionId = '' } = (await latest()) ?? {};
  expect((await desk.run(['session', 'answer', 'acme', sessionId, questionId, '2,red'])).code).toBe(0);
  expect(await chat).toMatchObject({ code: 0, stdout: expect.stringContaining('You said: blue, red') as unknown, stderr: expect.stringContaining(`tenure session answer acme ${sessionId} ${questionId}`) as unknown });
  expect(await desk.json(['session', 'questions', 'acme', sessionId])).toMatchObject([{ questionId, state: 'answered' }, { state: 'answered' }]);
});

it('makes API keys, which are tokens until they are revoked, and says who there is', async () => {
  const { code, stdout, stderr } = await desk.run(['api-key', 'create', 'acme', 'a test', '--permission', 'read:session', '--expires', '1h']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('shown this once') as unknown });
  const list = () => desk.run(['session', 'list', 'acme'], { env: { TENURE_TOKEN: stdout.trim() } });
  expect((await list()).code).toBe(0);
  const [key] = z.array(ApiKey).parse(await desk.json(['api-key', 'list', 'acme']));
  await desk.json(['api-key', 'revoke', 'acme', key?.keyId ?? '']);
  while ((await list()).code !== 5) await delay(50);
  const [user] = z.array(z.object({ userId: z.string() })).parse(await desk.json(['user', 'list', 'acme']));
  const userId = user?.userId ?? '';
  expect(await desk.json(['user', 'roles', 'acme', userId, '--role', 'auditors'])).toMatchObject({ roles: ['auditors'] });
  expect(await desk.json(['user', 'disable', 'acme', userId])).toMatchObject({ enabled: false });
  expect(await desk.json(['user', 'enable', 'acme', userId])).toMatchObject({ enabled: true });
  for (const out of [['user', 'sign-out', 'acme', userId], ['tenant', 'sign-out', 'acme']]) expect(await desk.json(out)).toMatchObject({ notBefore: expect.any(String) as unknown });
  // Tokens count whole seconds: one that is minted in this one still is refused.
  await delay(1_000 - (Date.now() % 1_000));
});

it('registers machine clients, whose secret gets tokens until it is replaced or revoked', async () => {
  const Shown = z.object({ clientId: z.string(), oauthClientId: z.string(), oauthClientSecret: z.string(), tokenUrl: z.string() });
  const made = Shown.parse(await desk.json(['machine-client', 'create', 'acme', 'a service', '--permission', 'read:session', '--description', 'a test']));
  const token = async ({ oauthClientId, oauthClientSecret, tokenUrl }: z.infer<typeof Shown>) => {
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: oauthClientId, client_secret: oauthClientSecret });
    return z.object({ access_token: z.string().optional() }).parse(await (await fetch(tokenUrl, { method: 'POST', body })).json()).access_token;
  };
  const list = (TENURE_TOKEN = '') => desk.run(['session', 'list', 'acme'], { env: { TENURE_TOKEN } });
  expect((await list(await token(made))).code).toBe(0);
  expect(await desk.json(['machine-client', 'update', 'acme', made.clientId, '--name', 'the service', '--permission', 'read:session'])).toMatchObject({ name: 'the service', description: 'a test', permissions: ['read:session'] });
  const { stdout, stderr } = await desk.run(['machine-client', 'rotate', 'acme', made.clientId]);
  expect(stdout).toMatch(/^client_id +\S+\nclient_secret +\S+\ntoken_url +http\S+\nscope +tenure\/read:session\n$/);
  expect(stderr).toContain('shown this once');
  expect(await token(made)).toBeUndefined();
  expect((await desk.run(['machine-client', 'list', 'acme'])).stdout).toMatch(new RegExp(`${made.clientId} +good .*the service`));
  expect(await desk.json(['machine-client', 'revoke', 'acme', made.clientId])).toMatchObject({ revokedAt: expect.any(String) as unknown });
});

describe('exit codes', () => {
  it.each([
    ['what is not there', ['tenant', 'show', 'nobody'], 3, 'tenant/not-found'],
    ['an operation that is not there', ['operation', 'watch', `onboarding_acme_${'0'.repeat(26)}`], 3, 'operation/not-found'],
    ['a backup that is not there', ['backup', 'show', 'acme', 'bak-none'], 3, 'backup/not-found'],
    ['a tenant there is no agent of', ['tenant', 'config', 'nobody'], 3, 'tenant/not-found'],
    ['a conflict', ['tenant', 'create', 'acme'], 4, 'tenant/exists'],
    ['a state that does not allow it', ['tenant', 'resume', 'acme'], 4, 'tenant/not-suspended'],
    ['what a job does not take', ['maintenance', 'run', 'usage', '--tenant', 'acme', '--reason', 'a look', '--repair'], 2, 'request/inconsistent'],
    ['what the API cannot read', ['tenant', 'create', 'A'], 2, 'request/malformed'],
  ])('tell %s', async (_what, args, code, problem) => {
    const ended = await desk.run([...args, '--json']);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toBe('');
    expect(JSON.parse(ended.stderr)).toEqual({ error: expect.objectContaining({ code: problem, exitCode: code, requestId: expect.stringMatching(/^req-/) as unknown }) as unknown });
  });

  it('tell a user of a tenant that is not there', async () => {
    expect((await desk.run(['session', 'list', 'nobody'])).code).toBe(3);
  });

  it('tell a token that is not good here', async () => {
    const { code, stderr } = await desk.run(['tenant', 'list'], { env: { TENURE_TOKEN: 'a.b.c' } });
    expect([code, stderr]).toEqual([5, expect.stringMatching(/^auth\/unauthenticated: .*\n {2}Sign in again: tenure login\n {2}request req-/)]);
  });
});

describe('destruction', () => {
  const status = async () => TenantRecord.parse(await desk.json(['tenant', 'show', 'acme'])).status;

  it.each([
    ['nobody can be asked', [], 2],
    ['--yes comes alone', ['--yes'], 2],
    ['the id is another', ['--yes', '--confirm', 'globex'], 2],
  ])('does not happen when %s', async (_when, options, code) => {
    const { stderr, ...ended } = await desk.run(['tenant', 'offboard', 'acme', '--grace', '0', ...options]);
    expect([ended.code, stderr, await status()]).toEqual([code, expect.stringContaining('Nothing was done'), 'active']);
  });

  it('does not happen when another id is typed, or the terminal is left', async () => {
    for (const [keys, code] of [['globex\r', 4], ['\u0003', 130], ['\u0004', 4]] as const) {
      const terminal = desk.terminal('tenure tenant offboard acme --grace 0');
      await terminal.saw('Type acme to go on');
      terminal.type(keys);
      expect([await terminal.ended, await status()]).toEqual([code, 'active']);
    }
  });
});

describe('what operators see of a tenant', () => {
  it('is its agent, without signing in as one of its users', async () => {
    expect(AgentConfig.parse(await desk.json(['tenant', 'config', 'acme']))).toEqual(AgentConfig.parse({}));
  });

  it('is all it owns, looked for now', async () => {
    const owned = z.array(OwnedResource).parse(await desk.json(['tenant', 'inventory', 'acme']));
    expect(owned.map(({ service, type }) => `${service} ${type}`)).toEqual(expect.arrayContaining(['cognito user-pool', 'dynamodb table', 'kms key', 's3 bucket', 'temporal schedule']));
    expect(await desk.run(['tenant', 'inventory', 'nobody'])).toMatchObject({ code: 0, stdout: 'nobody owns nothing.\n' });
  });

  it('is what it used, once that is added up', async () => {
    const { stderr } = await desk.run(['tenant', 'usage', 'acme']);
    expect(stderr).toContain('tenure maintenance run usage --tenant acme');
    expect((await desk.run(['maintenance', 'run', 'usage', '--tenant', 'acme', '--reason', 'to see it'])).code).toBe(0);
    let lines: string[] = [];
    while (lines.length === 0) lines = (await desk.run(['tenant', 'usage', 'acme', '--by', 'model'])).stdout.split('\n').filter((line) => line.startsWith('anthropic.'));
    expect(lines).toEqual([expect.stringMatching(/^\S+ +\d+ +\d+ +\d+ +[\d.]+$/)]);
  });
});

describe('backups', () => {
  it('are taken, verified, brought back beside the tenant, and deleted when that is confirmed', async () => {
    expect(await desk.run(['backup', 'create', 'acme'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/backup of acme: completed\n$/) as unknown });
    const [backup] = z.array(BackupSummary).parse(await desk.json(['backup', 'list', 'acme']));
    const { backupId = '' } = backup ?? {};
    expect(await desk.run(['backup', 'verify', 'acme', backupId])).toMatchObject({ code: 0, stdout: expect.stringMatching(/backup verification of acme: completed\n$/) as unknown });
    expect((await desk.run(['backup', 'show', 'acme', backupId])).stdout).toMatch(new RegExp(`^backup +${backupId}\n.*^verified +\\d{4}-.* by backupVerification_`, 'ms'));

    expect((await desk.run(['tenant', 'restore', 'acme', '--backup', backupId, '--yes', '--confirm', 'acme'])).stderr).toMatch(/^restore\/tenant-active: .*\n.*tenure tenant suspend/);
    expect((await desk.run(['tenant', 'restore', 'copied', '--backup', backupId, '--from', 'acme'])).code).toBe(0);
    expect((await desk.run(['tenant', 'show', 'copied'])).stdout).toMatch(/^status +active$.*^restored +\d{4}-/ms);

    expect((await desk.run(['backup', 'delete', 'acme', backupId])).code).toBe(2);
    expect(await desk.json(['backup', 'list', 'acme'])).toHaveLength(1);
    expect((await desk.run(['backup', 'delete', 'acme', backupId, '--yes', '--confirm', 'acme'])).code).toBe(0);
    expect(await desk.run(['backup', 'list', 'acme'])).toMatchObject({ code: 0, stdout: 'There are none.\n' });
  });
});

describe('maintenance', () => {
  it('is paused with a reason that others read, run by hand, and resumed', async () => {
    const line = async () => (await desk.run(['maintenance', 'list'])).stdout.split('\n').find((row) => row.startsWith('drift'));
    expect((await desk.run(['maintenance', 'pause', 'drift', '--reason', 'migration until Monday'])).code).toBe(0);
    expect(await line()).toMatch(/^drift +paused +- .*operator .*: migration until Monday$/);
    expect((await desk.run(['maintenance', 'run', 'drift', '--reason', 'a look'])).stdout).toContain('tenure maintenance reports drift');
    while (!(await desk.run(['maintenance', 'reports', 'drift'])).stdout.startsWith('STARTED')) await delay(100);
    expect((await desk.run(['maintenance', 'resume', 'drift', '--reason', 'it is Tuesday'])).code).toBe(0);
    expect(await line()).toMatch(/^drift +on +in \d+ .*Compare/);
    expect((await desk.run(['maintenance', 'list', '--tenant', 'nobody'])).stdout).toContain('does not exist');
  });
});

describe('watching', () => {
  it('survives the API', async () => {
    const operationId = await heldOnboarding('globex');
    const watching = desk.run(['operation', 'watch', operationId]);
    platform.services.api.kill('SIGKILL');
    await platform.model.release(smoke);
    expect(await watching).toMatchObject({ code: 0, stdout: expect.stringMatching(/onboarding of globex: completed\n$/) as unknown });
  });

  it('is left with Ctrl-C, and the operation goes on; taken back, it says so', async () => {
    const operationId = await heldOnboarding('initech');
    const terminal = desk.terminal(`tenure operation watch ${operationId}`);
    await terminal.saw('Hold a first conversation');
    terminal.type('\u0003');
    expect(await terminal.ended).toBe(130);
    expect(terminal.screen).toContain(`tenure operation watch ${operationId}`);
    expect(await desk.json(['operation', 'show', operationId])).toMatchObject({ state: 'running' });

    const watching = desk.run(['operation', 'watch', operationId]);
    const cancelled = await desk.run(['operation', 'cancel', operationId]);
    expect(cancelled).toMatchObject({ code: 0, stdout: expect.stringMatching(/undone +reserve.*onboarding of initech: cancelled\n$/s) as unknown });
    expect(await watching).toMatchObject({ code: 1, stderr: expect.stringContaining('was cancelled') as unknown });
    await platform.model.release(smoke);
  });
});

describe('signing in', () => {
  it('asks at a terminal, keeps the login to oneself, and ends it', async () => {
    const { operator } = platform.settings;
    const terminal = afar.terminal(`tenure login --api ${apiUrl} --user ${operator.email}`);
    await terminal.saw('Password: ');
    terminal.type(`${operator.password}\r`);
    expect(await terminal.ended).toBe(0);
    expect(terminal.screen).not.toContain(operator.password);
    expect((await stat(path.join(afar.directory, 'config/logins.json'))).mode & 0o777).toBe(0o600);

    // From now on the address is known.
    expect(await afar.json(['whoami'])).toMatchObject({ api: apiUrl, apiFrom: 'login', tokenFrom: 'login', email: operator.email, groups: 'operators' });
    expect((await afar.run(['tenant', 'list'])).code).toBe(0);
    expect((await afar.run(['logout'])).code).toBe(0);
    expect((await afar.run(['tenant', 'list', '--api', apiUrl])).code).toBe(5);
  });

  it('renews what has run out', async () => {
    const { operator } = platform.settings;
    const login = ['login', '--api', apiUrl, '--user', operator.email, '--password-stdin'];
    expect((await afar.run(login, { input: `${operator.password}\n` })).code).toBe(0);
    await afar.edit('config/logins.json', (text) => text.replace(/"accessToken": "[^"]+"/, '"accessToken": "a.b.c"'));
    expect((await afar.run(['tenant', 'list'])).code).toBe(0);
    await afar.edit('config/logins.json', (text) => text.replace(/"expiresAt": "[^"]+"/, '"expiresAt": "2020-01-01T00:00:00.000Z"'));
    expect((await afar.run(['tenant', 'list'])).code).toBe(0);
  });

  it("lets an invited user of a tenant choose a password, from a script's lines", async () => {
    const { region, endpoint } = platform.settings.aws;
    const { infrastructure } = TenantRecord.parse(await desk.json(['tenant', 'show', 'acme']));
    const [user, temporary, own] = ['new@acme.example', randomPassword(), randomPassword()];
    const invitation = { UserPoolId: infrastructure?.userPoolId, Username: user, TemporaryPassword: temporary, MessageAction: 'SUPPRESS' } as const;
    await createPlatformClients({ region, endpoint }).cognito.send(new AdminCreateUserCommand(invitation));
    const login = ['login', '--api', apiUrl, '--tenant', 'acme', '--user', user, '--password-stdin'];
    expect(await afar.run(login, { input: `${temporary}\n` })).toMatchObject({ code: 5, stderr: expect.stringContaining('a new password') as unknown });
    expect((await afar.run(login, { input: `${temporary}\n${own}\n` })).code).toBe(0);
    expect((await afar.run(login, { input: `${own}\n` })).code).toBe(0);
    expect((await afar.run([...login.slice(0, -1), '--password-stdin'], { input: 'wrong\n' })).code).toBe(5);
    expect(await afar.json(['whoami', '--tenant', 'acme', '--api', apiUrl])).toMatchObject({ realm: 'acme', email: user });
  });
});

describe('doctor', () => {
  it('finds everything in order while it is', async () => {
    const { checks } = (await desk.json(['doctor'])) as { checks: { name: string; state: string; detail: string }[] };
    expect(checks.filter(({ state }) => state === 'failed')).toEqual([]);
    const found = Object.fromEntries(checks.map(({ name, state }) => [name, state]));
    expect(found).toMatchObject({ api: 'ok', ready: 'ok', version: 'ok', clock: 'ok', 'sign-in': 'ok', temporal: 'ok', valkey: 'ok', aws: 'ok', workers: 'ok' });
  });
});

describe('completion', () => {
  it('completes commands and ids in bash', async () => {
    // What readline does at the press of Tab; ids are there once the API answers in time.
    const tab = (...words: string[]) => `COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; until _tenure; [ -n "$COMPREPLY" ]; do :; done; echo "\${COMPREPLY[@]}"`;
    await desk.write('complete.sh', ['source <(tenure completion bash)', tab('tenure', 'tenant', 'sh'), tab('tenure', 'tenant', 'show', 'acm'), 'complete -p tenure'].join('\n'));
    const shell = desk.terminal('bash --norc --noprofile complete.sh');
    expect(await shell.ended).toBe(0);
    expect(shell.screen.split('\r\n')).toEqual(expect.arrayContaining(['show', 'acme', 'complete -o bashdefault -o default -F _tenure tenure']));
  });
});

const askedFor = async (tenantId: string) => SignedCertificate.parse(await desk.json(['tenant', 'certificate', tenantId])).certificate.asked;

it('gives up what a tenant has only when that is typed, and only when its key is lost', async () => {
  const reason = 'The key was deleted by mistake';
  const terminal = desk.terminal(`tenure tenant offboard globex --without-backup '${reason}'`);
  await terminal.saw('Type globex without backup to go on');
  terminal.type('globex\r');
  expect(await terminal.ended).not.toBe(0);
  const { code, stderr } = await desk.run(['tenant', 'offboard', 'globex', '--without-backup', reason, '--yes', '--confirm', 'globex without backup']);
  expect([code, stderr]).toEqual([expect.any(Number), expect.stringContaining('The key of globex works')]);
  expect(code).not.toBe(0);
  expect(await desk.json(['tenant', 'show', 'globex'])).toMatchObject({ status: 'active' });
});

it('lets a tenant go when its id is typed, and shows every step', async () => {
  const terminal = desk.terminal('tenure tenant offboard acme --grace 0 --drain-policy stop --skip-rehearsal --delete-histories');
  await terminal.saw('Type acme to go on');
  terminal.type('acme\r');
  expect(await terminal.ended).toBe(0);
  expect(terminal.screen).toMatch(/offboarding of acme.*completed/);
  expect(await desk.json(['tenant', 'show', 'acme'])).toMatchObject({ status: 'deleted' });
  expect(await askedFor('acme')).toEqual({ graceSeconds: 0, drain: { policy: 'stop', seconds: 0 }, rehearsal: 'skipped', histories: 'deleted' });
  await desk.json(['tenant', 'offboard', 'globex', '--grace', '0', '--drain-seconds', '2m', '--yes', '--confirm', 'globex']);
  expect(await askedFor('globex')).toEqual({ graceSeconds: 0, drain: { policy: 'wait', seconds: 120 }, rehearsal: 'required', histories: 'kept' });
});

it('verifies the certificate of who has left, with the published key or with one at hand, and says when it was changed', async () => {
  expect((await desk.run(['tenant', 'certificate', 'acme', '--out', 'acme.json'])).code).toBe(0);
  expect(await desk.run(['certificate', 'verify', 'acme.json'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^acme\.json is valid\.\n.*operationId/s) as unknown });
  expect(await desk.json(['certificate', 'verify', 'acme.json'])).toMatchObject({ isValid: true, tenantId: 'acme' });

  const published = await (await fetch(`${apiUrl}/api/v1/certificates/key`)).text();
  const { jwk } = JSON.parse(published) as { jwk: { n: string } };
  const [certificate, wrongKey] = [await readFile(path.join(desk.directory, 'acme.json'), 'utf8'), JSON.stringify({ ...jwk, n: `${jwk.n.slice(1)}A` })];
  await Promise.all([afar.write('acme.json', certificate), afar.write('key.json', published), afar.write('jwk.json', JSON.stringify(jwk)), afar.write('wrong.json', wrongKey)]);
  const offline = async (file: string, key: string) => {
    const { code, stderr } = await afar.run(['certificate', 'verify', file, '--key', key], { env: { TENURE_API_URL: 'http://127.0.0.1:1' } });
    return [code, stderr];
  };
  expect(await offline('acme.json', 'key.json')).toEqual([0, '']);
  expect(await offline('acme.json', 'jwk.json')).toEqual([0, '']);
  expect(await offline('acme.json', 'wrong.json')).toEqual([1, expect.stringContaining('another key than the one you trust')]);
  expect(await offline('acme.json', 'acme.json')).toEqual([2, expect.stringContaining("is not a key of the platform's")]);
  await afar.edit('acme.json', (text) => text.replace('"after": 0', '"after": 1'));
  expect(await offline('acme.json', 'key.json')).toEqual([1, expect.stringContaining('acme.json is not valid: The signature does not fit')]);
  expect((await desk.run(['certificate', 'verify', 'acme.json'], { env: { TENURE_API_URL: 'http://127.0.0.1:1' } })).code).toBe(6);
});
