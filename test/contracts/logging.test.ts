import { createLogger } from '../../src/logging';

const canary = 'the-canary-sings';

function lineOf(value: object): string {
  const lines: string[] = [];
  createLogger('api', 'info', { write: (line) => void lines.push(line) }).info(value, 'a line');
  return lines.join('');
}

/** Where such things have been seen: requests, clients' answers, errors of SDKs and their causes. */
it.each(['authorization', 'cookie', 'set-cookie', 'password', 'token', 'accessToken', 'AccessToken', 'refreshToken', 'SecretAccessKey', 'sessionToken', 'clientSecret', 'apiKey'])(
  'shows no %s, at whatever level of a line it stands',
  (name) => {
    const secret = { [name]: canary };
    const error = Object.assign(new Error('refused'), { config: { headers: secret }, cause: Object.assign(new Error('why'), secret) });
    for (const value of [secret, { request: secret }, { request: { headers: secret } }, { err: error }, { a: { b: { c: secret } } }]) {
      const line = lineOf(value);
      expect(line).toContain('a line');
      expect(line).not.toContain(canary);
    }
  },
);

it('shows the rest', () => {
  expect(lineOf({ tenantId: 'acme', request: { path: '/ping' } })).toMatch(/"tenantId":"acme".*"path":"\/ping"/);
});
