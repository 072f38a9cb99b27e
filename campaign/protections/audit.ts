import { of } from './protection';

const api = 'test/api/audit.test.ts';
const log = 'test/adapters/aws/audit-log.test.ts';
const verification = 'test/adapters/audit-verification.test.ts';
const identities = 'cloudformation/platform-identities.yaml';
const writer = 'src/adapters/aws/audit/writer.ts';
const chain = 'src/adapters/audit-chain.ts';
const tampering = 'tampering is found';

/** "Audit and hygiene". */
export const ofAudit = [
  ...of(
    'a change is recorded before it is carried out, on every route',
    api,
    { id: 'change-recorded', file: 'src/api/mount.ts', search: '          await act.begin(parsed);\n', replace: '', name: 'is refused when it cannot be recorded' },
    { id: 'change-recorded-before', file: 'src/api/audited-act.ts', search: "if (kindOf(this.route) === 'change') this.end = await this.trail.begin(this.told());", replace: "if (kindOf(this.route) === 'change') this.end = (ending) => this.trail.count(this.told(), ending);", name: 'knows of every change that was made', builds: true },
  ),
  ...of('refused when the log cannot be written', api, { id: 'unwritten-is-refused', file: 'src/api/audit-trail.ts', search: "await this.options.audit.append(chain, [eventOf(request, 'begun')]);", replace: "await this.options.audit.append(chain, [eventOf(request, 'begun')]).catch(() => undefined);", name: 'refuses changes while the log cannot be written' }),
  ...of('denials are recorded with their tenant, floods with a count', api, { id: 'denials-recorded', file: 'src/api/audited-act.ts', search: " || outcomeOf(ending.status, ending.isDenial) === 'denied') this", replace: ') this', name: 'a denied request', says: /expect\(|Exceeded timeout|did not|never/ }),
  ...of('denials are recorded with their tenant, floods with a count', 'test/domain/audit.test.ts', { id: 'floods-counted', file: 'src/domain/audit.ts', search: 'const mostKinds = 100;', replace: 'const mostKinds = Infinity;', name: 'holds a bounded number of kinds' }),
  ...of('strangers make no chains', api, { id: 'strangers-chains', file: 'src/api/audit-trail.ts', search: 'auditChainOf(isKnown && tenantId)', replace: 'auditChainOf(isKnown ? tenantId : tenantId)', name: 'that names no tenant there is', says: /expect\(|Exceeded timeout|did not|never/ }),
  ...of('no token, text or secret in it', api, { id: 'no-text-in-the-log', file: 'src/domain/audit.ts', search: "typeof value === 'string' && idPattern.test(value)", replace: "typeof value === 'string'", name: 'holds no token, no text and no secret' }),
  ...of("an id's new administrators see nothing of its old tenant", api, { id: 'old-tenants-log', file: 'src/api/routes/audit.ts', search: 'auditChainOf(tenantId), query, tenant.createdAt)', replace: 'auditChainOf(tenantId), query, tenant.createdAt.slice(0, 0))', name: 'shows administrators nothing of whoever had the id before' }),
  ...of('one place for each entry, whoever writes', log, { id: 'one-place', file: writer, search: "Item: { chain, ...batch }, ConditionExpression: 'attribute_not_exists(sk)' }", replace: 'Item: { chain, ...batch } }', name: 'is gap-free, in order and without loss' }),
  ...of('a lost answer is no reason to write twice', log, { id: 'lost-answer', file: writer, search: '      if (tried && (await isWritten(chain, tried, writeId, { abortSignal }).catch(() => false))) return;\n', replace: '', name: 'does not write twice' }),
  ...of(
    tampering,
    verification,
    { id: 'tampering-changed', file: chain, search: 'if (hashOf(entry) !== hash) return', replace: "if (hash === '') return", name: 'finds that an entry was changed' },
    { id: 'tampering-replaced', file: chain, search: 'if (prev !== head.hash) return', replace: "if (prev === '') return", name: 'finds that an entry was replaced by another' },
    { id: 'tampering-removed', file: chain, search: 'if (seq > head.seq + 1) return', replace: 'if (seq < 0) return', name: 'finds that an entry was removed' },
    { id: 'tampering-cut-off', file: 'src/adapters/audit-verification.ts', search: "if (!this.seal) this.note(", replace: "if (this.entries < 0) this.note(", name: 'finds that the end was cut off' },
    { id: 'tampering-signed', file: 'src/adapters/audit-verification.ts', search: "if ((await checkSignature(checkpoint, signature, this.key, checkpointType)) !== 'valid')", replace: "if ((await checkSignature(checkpoint, signature, this.key, checkpointType)) === undefined)", name: 'finds that an entry was changed, and all hashes behind it' },
  ),
  ...of(tampering, log, { id: 'no-signature-for-a-broken-chain', file: 'src/adapters/aws/audit/log.ts', search: 'if (last) await mustHold(reader, last);', replace: '', also: [['if (misfit !== undefined) throw', "if (misfit === '') throw"]], name: 'is not given to a chain' }),
  ...of('the processes append and read, no more', 'test/adapters/aws/process-identities.test.ts', {
    id: 'append-only',
    file: identities,
    search: "            Action: ['dynamodb:PutItem', 'dynamodb:Query']",
    replace: "            Action: 'dynamodb:*'",
    also: [["            Action: ['dynamodb:BatchWriteItem', 'dynamodb:DeleteItem', 'dynamodb:DeleteTable', 'dynamodb:PartiQL*', 'dynamodb:PutResourcePolicy', 'dynamodb:UpdateItem', 'dynamodb:UpdateTimeToLive']", "            Action: ['dynamodb:DeleteTable']"]],
    name: 'appends to the audit log',
  }),
  ...of(
    'logs hide credentials',
    'test/contracts/logging.test.ts',
    { id: 'logs-hide', file: 'src/logging.ts', search: "  'accessToken',\n", replace: '', name: 'shows no accessToken' },
    { id: 'logs-hide-deep', file: 'src/logging.ts', search: "['', '*', '*.*', '*.*.*']", replace: "['', '*', '*.*']", name: 'at whatever level of a line it stands' },
  ),
  ...of(
    'secure headers, closed origins',
    'test/api/hygiene.test.ts',
    { id: 'secure-headers', file: 'src/api/app.ts', search: '  app.use(helmet());\n', replace: '', name: 'answers with secure headers' },
    { id: 'closed-origins', file: 'src/api/cross-origin.ts', search: "if (request.get('origin') !== origin) {", replace: "if (request.get('origin') === '') {", also: [["'Access-Control-Allow-Origin': origin,", "'Access-Control-Allow-Origin': request.get('origin') ?? '*',"]], name: 'lets no page of another site read its answer' },
  ),
  ...of(
    'secrets, licences, bill of materials',
    'test/local/supply-chain.test.ts',
    { id: 'secret-scan', file: '.secretlintrc.json', search: '{ "id": "@secretlint/secretlint-rule-preset-recommend" }', replace: '', name: 'finds a secret that somebody commits' },
    { id: 'licences', file: 'src/local/licences.ts', search: '.every((id) => allowed.has(id))', replace: ".every((id) => id !== '')", name: 'does not take a licence it does not know' },
  ),
];
