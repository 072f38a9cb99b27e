import { of } from './protection';

const verifier = 'src/adapters/cognito-tokens/token-verifier.ts';
const tokens = 'test/adapters/cognito-tokens/token-verifier.test.ts';
const authentication = 'test/api/authentication.test.ts';
const revocation = 'test/api/revocation.test.ts';
const admission = 'src/domain/admission.ts';
const authenticate = 'src/api/authenticate.ts';
const mount = 'src/api/mount.ts';
const store = 'src/adapters/aws/access-store.ts';

const token = 'algorithm pinned, issuer, client, use, end, not-before, not from the future';
const apiKeys = 'API keys: hashed, scoped, ended, revoked, no more than their creator';
const machines = 'machine clients: registered, scoped, changed, replaced, revoked, out with their tenant; the secret shown once';
const machineClients = 'test/api/machine-clients.test.ts';
const signOut = 'sign-out of a user, a tenant, an operator; disabled users';

/** "Who gets in" and "Who may do what". */
export const ofAccess = [
  ...of(
    token,
    authentication,
    { id: 'token-algorithm', file: verifier, search: "algorithms: ['RS256'], ", replace: '', name: 'refuses every broken credential' },
    { id: 'token-issuer', file: verifier, search: ' issuer, clockTolerance', replace: ' clockTolerance', name: 'refuses every broken credential' },
    { id: 'token-client', file: verifier, search: 'if (clientIds.includes(clientId)) return', replace: 'if (clientIds.length > 0) return', name: 'refuses every broken credential' },
    { id: 'token-end', file: 'src/domain/admission.ts', search: 'export const clockToleranceMs = 5_000;', replace: 'export const clockToleranceMs = 600_000;', name: 'refuses every broken credential' },
    { id: 'token-without-end', file: verifier, search: "requiredClaims: ['exp', 'iat', 'sub']", replace: "requiredClaims: ['iat', 'sub']", also: [['  exp: z.number(),', '  exp: z.number().default(9_999_999_999),']], name: 'refuses every broken credential' },
    { id: 'token-longer', file: verifier, search: 'if (token.length > maxTokenCharacters)', replace: "if (token === '')", name: 'refuses every broken credential' },
  ),
  ...of(
    token,
    tokens,
    { id: 'token-use', file: verifier, search: "z.literal('access')", replace: 'z.string()', name: 'refuses a token that is an id token that names the client' },
    { id: 'token-from-the-future', file: verifier, search: 'if ((payload.iat ?? 0) * 1_000 > Date.now() + clockToleranceMs)', replace: "if (token === '')", name: 'refuses a token that was minted in the future' },
  ),
  ...of(
    'keys: rotation, withdrawal, pause between looks',
    tokens,
    { id: 'keys-pause', file: verifier, search: 'cooldownDuration: options.cooldownMs ?? cooldownMs', replace: 'cooldownDuration: 0', name: 'are not fetched for every made-up key id' },
    { id: 'keys-pause-after-failure', file: verifier, search: 'if (performance.now() - failedAtMs < pauseMs)', replace: 'if (pauseMs < 0)', name: 'that cannot be read are asked for once in a while' },
    { id: 'keys-withdrawal', file: verifier, search: 'cacheMaxAge: options.maxKeyAgeMs ?? maxKeyAgeMs', replace: 'cacheMaxAge: Infinity', name: 'that the pool withdrew are taken no longer' },
    { id: 'keys-rotation', file: verifier, search: 'cooldownDuration: options.cooldownMs ?? cooldownMs', replace: 'cooldownDuration: 3_600_000', name: 'are read anew when the pool has another' },
  ),
  ...of(
    signOut,
    revocation,
    { id: 'sign-out-of-a-user', file: admission, search: 'isBefore(signedInAtMs, user.notBefore) || ', replace: '', name: 'is refused by all replicas within the stated time' },
    { id: 'sign-out-of-a-tenant', file: admission, search: ' || isBefore(signedInAtMs, everybody.notBefore)', replace: '', name: 'is everybody of a tenant' },
    { id: 'sign-out-of-an-operator', file: authenticate, search: 'const refusal = refusalOf(standings, token);', replace: "const refusal = realm === 'operator' ? undefined : refusalOf(standings, token);", name: 'is an operator, too' },
    { id: 'disabled-users', file: admission, search: "if (user.disabled === true) return 'this user is disabled';", replace: '', also: [['if (isBefore(signedInAtMs, user.notBefore) ||', 'if (user.disabled !== true && isBefore(signedInAtMs, user.notBefore) ||']], name: 'keeps a disabled user out' },
    { id: 'sign-out-in-time', file: 'src/adapters/access-cache.ts', search: 'if (known && performance.now() - known.askedAtMs < cacheMs)', replace: 'if (known && cacheMs > 0)', name: 'is refused by all replicas within the stated time' },
  ),
  ...of('renewing a token is no way around', revocation, { id: 'renewed-token', file: verifier, search: 'Math.min(iat, signedIn)', replace: 'iat', name: 'is out although the token was renewed since' }),
  ...of(
    apiKeys,
    revocation,
    { id: 'key-hashed', file: 'src/api/api-key-text.ts', search: "createHash('sha256').update(text).digest('hex')", replace: 'text.slice(-64)', name: 'is shown once' },
    { id: 'key-scoped', file: admission, search: 'given.has(permission) && ', replace: 'given.size > 0 && ', name: 'does what it was given' },
    { id: 'key-revoked', file: admission, search: "if (revokedAt !== undefined) return 'it was revoked';", replace: '', name: 'is refused within the stated time once it is revoked' },
    { id: 'key-no-more-than-creator', file: admission, search: '(creators === undefined || creators.has(permission))', replace: 'creators !== null', name: 'shrinks with the creator’s role' },
    { id: 'key-of-who-is-out', file: admission, search: "return refusalOf(creator, { signedInAtMs: Date.parse(createdAt) }) === undefined ? undefined : 'who made it was signed out or disabled since';", replace: 'return createdAt === creator.user.notBefore ? createdAt : undefined;', name: 'dies when its creator is signed out' },
  ),
  ...of(apiKeys, 'test/domain/admission.test.ts', { id: 'key-ended', file: admission, search: "if (Date.parse(expiresAt) <= nowMs) return 'it has expired';", replace: '', name: 'is good from its making to its end' }),
  ...of(
    machines,
    machineClients,
    { id: 'machine-scoped', file: admission, search: ' && granted.has(machineAccess.scope(permission))', replace: ' && granted.size > 0', name: 'has what its token has a scope for' },
    { id: 'machine-revoked', file: admission, search: "if (revokedAt !== undefined) return 'the machine client was revoked';", replace: '', name: 'is refused within the stated time once it is revoked' },
    { id: 'machine-out-with-tenant', file: admission, search: 'return isBefore(Date.parse(credential.since), notBefore) ?', replace: 'return credential.since === notBefore ?', name: 'is out when everybody of the tenant' },
  ),
  ...of(
    machines,
    'test/adapters/aws/access-store.test.ts',
    { id: 'machine-revoked-stays', file: 'src/adapters/aws/access-store.ts', search: "'attribute_exists(entry) AND attribute_not_exists(revokedAt)'", replace: "'attribute_exists(entry)'", name: 'are given something else, until they are revoked' },
  ),
  ...of(
    "app clients that are no machine client's are found, and deleted",
    'test/domain/machine-client-drift.test.ts',
    { id: 'machine-replaced-leaves', file: 'src/domain/machine-client-drift.ts', search: 'revokedAt === undefined ? credentials', replace: 'revokedAt !== "" ? credentials', name: 'gives up what was revoked or replaced' },
    { id: 'machine-young-stays', file: 'src/domain/machine-client-drift.ts', search: ' && seenAtMs - made.madeAtMs > registeredWithinMs', replace: '', name: 'gives up what was revoked or replaced' },
  ),
  ...of(
    'machine clients: no token of a client that is not taken, at any route',
    authentication,
    { id: 'machine-registered', file: authenticate, search: "if (!client) throw refused('it was issued to another client');", replace: 'if (!client) return { userId: machineClientUser(oauthClientId), permissions: new Set() };', name: 'refuses every broken credential' },
    { id: 'machine-in-its-own-name', file: verifier, search: ' || sub !== clientId)', replace: ')', name: 'refuses every broken credential' },
    { id: 'machine-secret-replaced', file: admission, search: '(credential.until !== undefined && Date.parse(credential.until) <= nowMs)', replace: 'nowMs < 0', name: 'refuses every broken credential' },
  ),
  ...of("no process of ours can read a client's secret", 'test/adapters/aws/process-identities.test.ts', {
    id: 'client-secret-unread',
    file: 'cloudformation/platform-identities.yaml',
    search: '              - cognito-idp:ListUserPoolClients\n',
    replace: '              - cognito-idp:DescribeUserPoolClient\n              - cognito-idp:ListUserPoolClients\n',
    name: 'reads the client',
  }),
  ...of('an open stream ends', revocation, { id: 'open-stream', file: mount, search: '      await again();\n', replace: '', name: 'ends with its reader’s sign-out', says: /expect\(|Exceeded timeout/ }),
  ...of('nobody gets in while nobody can say who was signed out', revocation, { id: 'blind-api', file: 'src/adapters/access-cache.ts', search: 'answer: read() };', replace: 'answer: read().catch(() => ({ everybody: {}, user: {} }) as T) };', name: 'lets nobody in while' }),
  ...of('a stranger learns no tenant', authentication, { id: 'stranger-learns-nothing', file: authenticate, search: "if (codeOf(error) === 'tenant/not-found' || codeOf(error) === 'tenant/not-active') throw notValidHere();", replace: '', name: 'answers a stranger alike' }),
  ...of(
    'refused credentials are limited, and lock nobody out',
    'test/api/limits.test.ts',
    { id: 'refused-credentials', file: 'src/api/failed-authentications.ts', search: 'if (!decision || decision.allowed) continue;', replace: 'if (!decision || burst > 0) continue;', name: 'refused credentials are limited by' },
    { id: 'refused-credentials-of-a-tenant', file: 'src/api/failed-authentications.ts', search: '...(tenantId.success ? [', replace: '...(tenantId.success && failuresPerMinute < 0 ? [', name: 'refused credentials are limited by tenant' },
    {
      id: 'locks-nobody-out',
      file: mount,
      search: "  contextOf(response).actor = { kind: who.realm",
      replace: "  if (named !== undefined && !(await deps.limiter.take(rateBuckets.failuresFrom(addressOf(request)), { requestsPerMinute: deps.failuresPerMinute, burst: deps.failuresPerMinute })).allowed) throw new DomainError('auth/unauthenticated', 'Locked.');\n  contextOf(response).actor = { kind: who.realm",
      name: 'refused credentials are limited by address',
    },
  ),
  ...of(
    "keys and marks go with the tenant, and nothing of another's",
    'test/adapters/aws/access-store.test.ts',
    { id: 'keys-go', file: store, search: 'done < all.length; done += maxBatch', replace: 'done < maxBatch; done += maxBatch', name: 'finds all that is kept of a tenant' },
    { id: 'keys-of-others-stay', file: store, search: "const found = (await entries(table, tenantId)).map(", replace: "const found = (await entries(table, platformOwner)).map(", name: 'finds all that is kept of a tenant' },
  ),
  ...of('each route, each role, each kind of key', 'test/api/authorization.test.ts', { id: 'permission-of-a-route', file: mount, search: 'if (!permissions.has(permission))', replace: 'if (permissions.size === 0)', name: 'is open to those who have its permission' }),
  ...of("another's object is a missing one, word for word", 'test/api/authorization.test.ts', { id: 'another-is-missing', file: 'src/api/conversations.ts', search: 'if (found?.userId !== caller.userId) throw notFound(found?.userId);', replace: "if (!found) throw notFound();\n    if (found.userId !== caller.userId) throw new DomainError('auth/forbidden', 'It is not yours.');", name: 'answers word for word' }),
  ...of('and costs the same', 'test/api/authorization.test.ts', { id: 'another-costs-the-same', file: 'src/api/conversations.ts', search: '    const found = await read(session);\n    if (found?.userId !== caller.userId)', replace: '    const found = await find(session);\n    if (found?.userId !== caller.userId)', name: 'asks the same of the same services' }),
  ...of('and is answered at beats, as is what a stranger asks of a tenant', 'test/api/even-answers.test.ts', { id: 'answers-at-beats', file: mount, search: 'if (mustTellNothing(error)) await nextBeat(context.receivedAtMs);', replace: '', name: 'never sooner than the beat' }),
  ...of('a role changes with the next request', revocation, { id: 'role-changes', file: admission, search: 'groups !== undefined && isBefore(token.issuedAtMs, groupsSince) ? groups : token.groups', replace: 'groups !== undefined && groupsSince === undefined ? groups : token.groups', name: 'holds for the token that is out already', says: /expect\(|Exceeded timeout/ }),
  ...of('nobody gives what they do not have', revocation, { id: 'give-what-you-have', file: admission, search: "  'read:usage',\n]", replace: "  'read:usage',\n  'write:api-key',\n]", name: 'gives nobody what they do not have' }),
];
