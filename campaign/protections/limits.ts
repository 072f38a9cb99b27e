import { of } from './protection';

const limits = 'test/api/limits.test.ts';
const conversations = 'src/api/conversations.ts';
const attachments = 'test/api/attachments.test.ts';
const take = "await Promise.all([take('sessions', session.sessionId), take('turns', turnId)]);";

/** "Limits". */
export const ofLimits = [
  ...of(
    'requests of a tenant, of a user, of an address without a token',
    limits,
    { id: 'rate-of-a-tenant', file: 'src/api/rate-limit.ts', search: '  if (allowed) return;', replace: "  if (allowed || bound === 'all') return;", name: 'grants a burst, then refuses' },
    { id: 'rate-over-replicas', file: 'src/adapters/valkey/request-limiter.ts', search: 'valkeyKeys.rate(bucket)', replace: '`${valkeyKeys.rate(bucket)}/${(valkey.commands as unknown as { own?: number }).own ??= Math.random()}`', also: [['valkeyKeys.share(bucket, share.userId)', '`${valkeyKeys.share(bucket, share.userId)}/${(valkey.commands as unknown as { own?: number }).own ??= Math.random()}`']], name: 'counts over all replicas' },
    { id: 'rate-of-a-user', file: 'src/api/rate-limit.ts', search: 'share: { userId, rate: share } };', replace: '...(userId === "" && { share: { userId, rate: share } }) };', name: 'one user takes a part of the requests' },
    { id: 'rate-of-an-address', file: 'src/api/mount.ts', search: 'if (route.isProbe !== true) await limitRate(', replace: "if (route.path === '') await limitRate(", name: 'strangers may ask so much from one address' },
  ),
  ...of(
    'streams, turns, sessions at work; places of what died come free',
    limits,
    { id: 'places-of-streams', file: 'src/api/mount.ts', search: 'held.place = wantsEvents ? await streamPlace(deps, admitted, context) : undefined;', replace: 'held.place = wantsEvents && deps.streamCheckMs < 0 ? await streamPlace(deps, admitted, context) : undefined;', name: 'one user has a part of the streams', says: /expect\(|Exceeded timeout/ },
    { id: 'places-of-turns', file: conversations, search: take, replace: "await take('sessions', session.sessionId);", name: 'a tenant has so many turns' },
    { id: 'places-of-sessions', file: conversations, search: take, replace: "await take('turns', turnId);", name: 'a tenant has so many sessions at work' },
  ),
  ...of('streams, turns, sessions at work; places of what died come free', 'test/adapters/valkey/places.test.ts', { id: 'places-of-the-dead', file: 'src/adapters/valkey/places.ts', search: "  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', nowMs)\n", replace: '', name: 'gets the places of a process that died back' }),
  ...of('sizes of bodies and messages', limits, { id: 'size-of-a-message', file: 'src/api/place-limits.ts', search: 'if (text.length > messageCharacters)', replace: 'if (messageCharacters < 0)', name: 'a message may be as long as the tier says' }),
  ...of('sizes of bodies and messages', 'test/api/bad-requests.test.ts', { id: 'size-of-a-body', file: 'src/api/request-parser.ts', search: 'express.json({ limit, ', replace: 'express.json({ limit: limit * 100, ', name: 'refuses a body over the limit' }),
  ...of(
    "what is uploaded: its owner's alone, what it says it is, no larger, and no more at once than there is memory for",
    attachments,
    { id: 'upload-to-own-session', file: 'src/api/routes/attachments.ts', search: '      await conversations.mustOwn(params, caller);\n      const {', replace: '      const {', also: [['      await conversations.mustOwn(params, caller);\n      const stored', '      const stored'], ['query: { name }, caller, tenant', 'query: { name }, tenant']], name: "is nobody else's" },
    { id: 'upload-of-its-type', file: 'src/domain/attachments.ts', search: 'if (problem !== undefined) throw', replace: "if (problem === '') throw", name: 'that is no image is refused' },
    { id: 'upload-at-once', file: 'src/api/uploads.ts', search: 'held + bytes > atOnce || own + bytes > ofTenant', replace: 'held + bytes > atOnce && own + bytes > ofTenant', name: 'takes in no more at once' },
  ),
  ...of('a refused image does not spoil its session', attachments, { id: 'refused-attachment', file: 'src/domain/attachments.ts', search: 'read.slice(refused + 1)', replace: 'read.slice(0 * refused)', name: 'does not spoil the session' }),
  ...of(
    'closed while nobody counts',
    limits,
    { id: 'uncounted-requests', file: 'src/adapters/valkey/request-limiter.ts', search: 'await calling(() => takeTokens(keys, ...rates));', replace: 'await calling(() => takeTokens(keys, ...rates)).catch((): Answer => [1, 1, 1, 0, 0]);', name: 'lets nothing pass when nobody counts' },
    { id: 'uncounted-places', file: 'src/adapters/valkey/places.ts', search: 'forMs, all, share, 0));', replace: 'forMs, all, share, 0)).catch((): Answer => [1, 1, 1]);', name: 'opens no stream and takes no message', says: /expect\(|Exceeded timeout|resolved instead/ },
  ),
  ...of('the address cannot be made up', limits, { id: 'made-up-address', file: 'src/api/app.ts', search: "app.set('trust proxy', deps.trustedProxies);", replace: "app.set('trust proxy', true);", name: 'cannot say themselves where they come from' }),
  ...of(
    'a thousand idle streams, and a reader that does not read, hurt nobody',
    'test/api/neighbours.test.ts',
    { id: 'idle-streams-leave', file: 'src/api/mount.ts', search: '        await held.place?.leave();\n', replace: '', name: 'idle streams of a tenant', says: /expect\(|Exceeded timeout/ },
    { id: 'reader-that-does-not-read', file: 'src/api/server-sent-events.ts', search: 'if (response.write(text) || signal.aborted) return;', replace: 'if (response.write(text) || signal.aborted || text) return;', name: 'a reader that does not read' },
  ),
];
