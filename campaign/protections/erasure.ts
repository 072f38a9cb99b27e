import { of } from './protection';

const whole = 'test/e2e/erasure.test.ts';
const others = "others' facts, sessions and erasures are as if they were not there";
const emptied = 'every place is emptied, all versions included, whichever process dies';

/** "Erasure". */
export const ofErasure = [
  ...of(others, 'test/api/memories.test.ts', { id: 'facts-of-others', file: 'src/api/routes/memories.ts', search: "(fact.userId === userId || permissions.has('write:any-memory'))", replace: "(fact.userId === userId || permissions.has('write:memory'))", name: 'keeps them from other users' }),
  ...of(others, whole, { id: 'erasures-of-others', file: 'src/api/routes/erasures.ts', search: "if (requestedBy !== caller.userId && !caller.permissions.has('write:erasure'))", replace: "if (requestedBy === '' && caller.userId === '')", name: 'erases a session for its owner', builds: true }),
  ...of(emptied, whole, { id: 'erases-user-facts', file: 'src/adapters/aws/erased-data.ts', search: "await memory.forgetUser({ tenantId, userId: subject.userId });", replace: 'await memory.countOf({ tenantId, userId: subject.userId });', also: [['return memory.countOf({ tenantId, userId: subject.userId });', 'return 0;']], name: 'erases a user although', builds: true }),
  ...of('there is no statement while anything is left', 'test/workflows/erasure.test.ts', { id: 'erases-again', file: 'src/workflows/erasure.ts', search: 'if (!isFirstLook) await sweep(ref);', replace: '', name: 'erases again what was written meanwhile' }),
  ...of('a restore leaves out what was erased since', 'test/domain/erasure.test.ts', { id: 'leaves-out', file: 'src/domain/erasure.ts', search: 'issuedAt === undefined || issuedAt > takenAt', replace: 'issuedAt === undefined', name: 'counts for backups that were begun before' }),
  ...of('the id of an erased session is not used again', whole, { id: 'erased-id', file: 'src/adapters/aws/session-directory.ts', search: 'const mark = { Put: { TableName, Item: { ...record, erased: true } } };', replace: 'const mark = { Delete: { TableName, Key: record } };', name: 'erases a session for its owner', builds: true }),
];
