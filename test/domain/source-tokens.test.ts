import { isConfidential, keepTokenForMs, saysScopeInsufficient, tokenRefusal } from '../../src/domain/source-tokens';

it.each([
  [3_600, 3_540_000],
  [600, 540_000],
  [10, 9_000],
  [undefined, 270_000],
  [10_000_000, 86_340_000],
  [0, 1],
  [-5, 1],
])('keeps a token of %p seconds for %d ms', (seconds, ms) => {
  expect(keepTokenForMs(seconds)).toBe(ms);
});

const ask = { issuer: 'https://issuer.example.com', clientId: 'me', scope: 'read', resource: undefined };

it.each([
  [400, 'invalid_client', 'tool/credential-refused'],
  [401, undefined, 'tool/credential-refused'],
  [400, 'unauthorized_client', 'tool/credential-refused'],
  [400, 'invalid_target', 'tool/credential-refused'],
  [400, 'invalid_scope', 'tool/scope-insufficient'],
  [400, 'temporarily_unavailable', 'tool/unreachable'],
  [503, 'invalid_client', 'tool/unreachable'],
  [429, undefined, 'tool/unreachable'],
  [400, 'constructor', 'tool/no-token'],
  [302, undefined, 'tool/no-token'],
])('takes %d %s for %s', (status, error, code) => {
  expect(tokenRefusal(status, error, ask).code).toBe(code);
});

it('repeats nothing of what an issuer says but a plain code', () => {
  expect(tokenRefusal(400, 'the secret was hunter2', ask).message).toBe('https://issuer.example.com answered 400 where tokens should be issued.');
  expect(tokenRefusal(400, 'invalid_request', ask).message).toContain('invalid_request');
});

it('knows that a token allows too little by what the server says, not by its refusal alone', () => {
  expect(saysScopeInsufficient(403, 'Bearer error="insufficient_scope", scope="write"')).toBe(true);
  expect(saysScopeInsufficient(403, undefined)).toBe(false);
  expect(saysScopeInsufficient(401, 'Bearer error="insufficient_scope"')).toBe(false);
  expect(saysScopeInsufficient(403, 'Bearer error="invalid_token"')).toBe(false);
});

it.each([
  ['https://issuer.example.com', true],
  ['http://issuer.example.com', false],
  ['http://127.0.0.1:8080', true],
  ['http://[::1]:8080', true],
  ['http://localhost', true],
  ['http://localhost.example.com', false],
  ['http://127.0.0.1.example.com:80', false],
])('shows a secret to %s: %p', (origin, isShown) => {
  expect(isConfidential(origin)).toBe(isShown);
});
