import { of } from './protection';

const ledgered = 'src/activities/session/ledgered-call.ts';
const budgets = 'src/domain/budgets.ts';
const request = 'src/domain/openapi-request.ts';
const documents = 'test/domain/openapi-tools.test.ts';
const ofBudgets = 'test/domain/budgets.test.ts';
const counters = 'test/adapters/aws/budget-ledger.test.ts';
const oauth = 'test/api/oauth-sources.test.ts';
const issuers = 'src/adapters/tool-sources/authorization-server.ts';
const credentials = 'src/adapters/tool-sources/source-credentials.ts';
const notPassed = 'no budget is passed: the most a step can cost is held before the model is asked';

/** "Agents are not trusted": tools of sources, calls that change something, budgets, versions. */
export const ofTools = [
  ...of(
    'a call that changes something is not repeated when nobody knows what it came to',
    'test/adapters/aws/session-log.test.ts',
    { id: 'ledger-no-repeat', file: ledgered, search: '  if (earlier && !mayRepeat) throw outcomeUnknown(ref.tool);\n', replace: '', name: 'never repeats a call whose answer was lost' },
    { id: 'ledger-result-once', file: ledgered, search: "  if (earlier?.state === 'finished') return { resultAt: earlier.resultAt };\n", replace: '', name: 'returns where the result is when there is one', says: /its answer was lost/ },
    { id: 'ledger-release', file: ledgered, search: '(codeOf(error)) && !earlier) await ledger.release(ref);', replace: '(codeOf(error))) await ledger.release(ref);', name: 'lets another attempt begin when nothing can have happened' },
  ),
  ...of(
    'an operation leads to no other place of its server',
    documents,
    { id: 'operation-path', file: request, search: String.raw`if (text === '' || /^\.{1,2}$/.test(text)) return`, replace: "if (text === 'nowhere') return", name: 'never leads to another place of the server' },
    { id: 'operation-path-encoded', file: request, search: 'simple(parameter, value, encodeURIComponent)', replace: 'simple(parameter, value, String)', name: 'never leads to another place of the server' },
    { id: 'operation-header', file: request, search: String.raw`if (!/^[\x20-\x7e]*$/.test(text)) return`, replace: "if (text === 'nothing') return", name: 'never leads to another place of the server' },
  ),
  ...of(
    "of two who set up a source at once, neither has the other's secret shown to their servers",
    'test/api/tool-sources.test.ts',
    { id: 'secret-of-its-servers', file: 'src/adapters/aws/tool-secrets.ts', search: 'kept.startsWith(mark) ? kept.slice(mark.length) : undefined', replace: 'kept.slice(mark.length)', name: 'shown no secret of theirs' },
  ),
  ...of('the secret of a source stands in no answer', documents, { id: 'secret-in-answers', file: 'src/domain/source-credential.ts', search: '  return hide(value);', replace: '  return value;', name: 'shows the secret in its place' }),
  ...of(
    'a document that means harm is bounded, and leads nowhere',
    documents,
    { id: 'document-aliases', file: 'src/adapters/tool-sources/documents.ts', search: 'maxAliasCount: 100', replace: 'maxAliasCount: -1', name: 'is refused: aliases of aliases' },
    { id: 'document-size', file: 'src/domain/plain-schema.ts', search: 'const maxSchemas = 500;', replace: 'const maxSchemas = 50_000;', also: [['const maxDepth = 10;', 'const maxDepth = 30;']], name: 'is bounded' },
    { id: 'document-patterns', file: 'src/domain/plain-schema.ts', search: "'minLength', 'maxLength',", replace: "'pattern', 'minLength', 'maxLength',", name: 'is bounded' },
    { id: 'document-elsewhere', file: 'src/adapters/tool-sources/documents.ts', search: 'resolve: { external: false, file: false, http: false }', replace: 'resolve: {}', name: 'is not followed to elsewhere', says: /leads nowhere/ },
  ),
  ...of(
    'a server of tools leads to no other, and its answers have an end',
    'test/adapters/http/mcp-servers.test.ts',
    { id: 'server-leads-elsewhere', file: 'src/adapters/tool-sources/pinned-fetch.ts', search: 'if (url.origin !== origin)', replace: "if (url.origin === 'nowhere')", name: 'asks no other server' },
    { id: 'server-answers-end', file: 'src/adapters/tool-sources/pinned-fetch.ts', search: 'if (bytes > maxBytes)', replace: 'if (bytes > maxBytes * 1_000)', name: 'gives up on answers without end' },
  ),
  ...of(
    'tokens are asked for only where they may be, with a secret that was set for that',
    oauth,
    { id: 'oauth-issuer-allowed', file: issuers, search: '  if (!isAllowedOrigin(issuers, url)) throw refusedIssuer(origin);\n', replace: '', name: 'are asked for nowhere but where they may be' },
    { id: 'oauth-issuer-encrypted', file: issuers, search: 'if (!isConfidential(origin))', replace: "if (origin === 'nowhere' && !isConfidential(origin))", name: 'are asked for nowhere but where they may be' },
    { id: 'oauth-other-resource', file: issuers, search: 'if (!checkResourceAllowed({', replace: "if (url === 'nowhere' && !checkResourceAllowed({", name: 'for another server are not asked for' },
    { id: 'oauth-issuer-bound', file: credentials, search: 'use.issuers.filter((origin) => isAllowedOrigin(source.secretOrigins, origin))', replace: 'use.issuers.filter((origin) => isAllowedOrigin([origin], origin))', name: 'are not shared by sources' },
  ),
  ...of(
    'a token goes only to the servers its source had when the secret was set, and stands in no answer',
    oauth,
    { id: 'oauth-token-target', file: credentials, search: '    mustBeTarget(ask);\n', replace: "    if (ask.tenantId === 'nobody') mustBeTarget(ask);\n", name: 'says where they are issued' },
    { id: 'oauth-token-in-answers', file: 'src/activities/session/tools/source-tools.ts', search: '      tokens.add(token.value);\n', replace: '', name: 'is called with a token for it' },
  ),
  ...of('a server of tools is believed only where the tenant does', 'test/adapters/http/mcp-servers.test.ts', { id: 'server-believed', file: 'src/adapters/tool-sources/mcp-servers.ts', search: 'const hints = trustsAnnotations ? annotations : undefined;', replace: 'const hints = trustsAnnotations === null ? undefined : annotations;', name: "believes the server's word on them only where" }),
  ...of(
    notPassed,
    ofBudgets,
    { id: 'budget-worst-case', file: budgets, search: 'const inputTokens = bytes + hiddenTokens;', replace: 'const inputTokens = Math.ceil(bytes / 4);', name: 'the worst case is never less', says: /Property failed/ },
    { id: 'budget-limit', file: budgets, search: 'held[unit] > room[unit])', replace: 'held[unit] > room[unit] + 100)', name: 'passes no limit', says: /Property failed/ },
    { id: 'budget-of-the-dead', file: budgets, search: 'const closed = closing(dead, { lost: dead.amounts });', replace: 'const closed = closing(dead, {});', name: 'counts each attempt once and loses none', says: /Property failed/ },
  ),
  ...of(
    notPassed,
    counters,
    { id: 'budget-at-once', file: 'src/adapters/aws/budget-ledger.ts', search: 'if (rooms.length === 0) return undefined;', replace: 'if (rooms.length >= 0) return undefined;', name: 'lets no more through than there is' },
    { id: 'budget-without-a-price', file: 'src/activities/session/step-budget.ts', search: 'if (!price && limitsDollars(inForce))', replace: 'if (!price && !limitsDollars(inForce))', name: 'asks no model that nobody has priced' },
  ),
  ...of('while nobody can write down what a step holds, none begins', counters, {
    id: 'budget-out-of-reach',
    file: 'src/activities/session/step-budget.ts',
    search: 'await deps.budgetLedger.reserve(step, reservation, levels);',
    replace: 'await deps.budgetLedger.reserve(step, reservation, levels).catch(() => undefined);',
    name: 'lets no step begin while',
  }),
  ...of("an administrator's budget is never more than the operator's", ofBudgets, { id: 'budget-of-the-operator', file: budgets, search: 'Math.min(...given)', replace: 'Math.max(...given)', name: 'and what others set only when it is less' }),
  ...of('a session keeps to the version of its agent', 'test/api/conversations.test.ts', {
    id: 'agent-pin',
    file: 'src/activities/session/agent.ts',
    search: '(await agents.version(tenantId, pin)).settings',
    replace: '(await agents.version(tenantId, { ...pin, version: pin.version + 1 }).catch(() => agents.version(tenantId, pin))).settings',
    name: 'is pinned when a session is opened',
  }),
];
