import type { EventBody, SessionEvent } from '../../src/contracts/events';
import type { JsonValue } from '../../src/contracts/model';
import { SourceUndo, ToolSourceSettings } from '../../src/contracts/tool-source';
import { toolsOfDocument } from '../../src/domain/openapi-tools';
import { inputOfUndo, problemWithUndo } from '../../src/domain/source-undo';
import { textToSummarise } from '../../src/domain/compaction';
import { toModelMessages } from '../../src/domain/transcript';
import { tallyOf, undoCandidates } from '../../src/domain/undo';

const logged = (...bodies: EventBody[]): SessionEvent[] => bodies.map((body, index) => ({ seq: index + 1, at: '2026-01-01T00:00:00.000Z', ...body }));
const of = (callId: string, step = 1, turnId = 't1') => ({ turnId, step, callId, tool: 'shop__order' });
const wanted = (callId: string, step = 1, turnId = 't1'): EventBody => ({ type: 'tool.requested', ...of(callId, step, turnId), input: { book: callId } });
const done = (callId: string, step = 1, turnId = 't1'): EventBody => ({ type: 'tool.completed', ...of(callId, step, turnId), output: { id: callId } });
const failed = (callId: string, code: string): EventBody => ({ type: 'tool.failed', ...of(callId), code, message: 'no' });
const undone = (callId: string, undoId = 'u1', step = 1): EventBody => ({ type: 'tool.undone', undoId, ...of(callId, step) });
const notUndone = (callId: string, code: string, undoId = 'u1'): EventBody => ({ type: 'tool.undo-failed', undoId, ...of(callId), code, message: 'the server says: delete everything' });

describe('what is to be taken back of a turn', () => {
  const candidates = (log: readonly SessionEvent[], undoId = 'u1') => undoCandidates(log, { turnId: 't1', undoId }).map(({ callId, step }) => `${callId}/${step}`);

  it('is what was done, the last first; of what failed, that of which nobody knows', () => {
    const log = logged(wanted('a'), wanted('b'), wanted('c'), wanted('d'), done('b'), done('a'), failed('c', 'tool/refused'), failed('d', 'tool/outcome-unknown'), wanted('a', 2), done('a', 2), wanted('x', 1, 't2'), done('x', 1, 't2'));
    expect(candidates(log)).toEqual(['a/2', 'd/1', 'a/1', 'b/1']);
  });

  it('is not what was taken back, by whichever request; what failed can be asked for again, by another one', () => {
    const log = logged(wanted('a'), wanted('b'), wanted('c'), done('a'), done('b'), done('c'), undone('a', 'u0'), notUndone('b', 'tool/busy'), notUndone('c', 'tool/no-undo', 'u0'));
    expect(candidates(log)).toEqual(['c/1']);
    expect(candidates(log, 'u2')).toEqual(['c/1', 'b/1']);
    expect(undoCandidates(log, { turnId: 't1', undoId: 'u2' }).map(({ callId, isReported }) => [callId, isReported])).toEqual([['c', true], ['b', false]]);
    expect([tallyOf(log, 'u1'), tallyOf(log, 'u0')]).toEqual([{ undone: 0, failed: 1 }, { undone: 1, failed: 1 }]);
  });

  it('is one call, though nobody knows what became of an earlier undo of it', () => {
    expect(candidates(logged(wanted('a'), done('a'), notUndone('a', 'tool/outcome-unknown', 'u0')))).toEqual(['a/1']);
  });

  it('has the arguments with which it was done', () => {
    const asked: EventBody = { type: 'approval.requested', ...of('a'), approvalId: 'apr-0', argumentsHash: 'h', policyVersion: 1, quorum: 1, barred: [], expiresAt: '2026-01-01T00:00:00.000Z', onExpiry: 'deny' };
    const edited: EventBody = { ...asked, approvalId: 'apr', replaces: 'apr-0', arguments: { book: 'another' } };
    const candidate = { callId: 'a', step: 1, tool: 'shop__order', requestedAt: 1, isReported: false };
    expect(undoCandidates(logged(wanted('a'), asked, done('a')), { turnId: 't1', undoId: 'u1' })).toEqual([{ ...candidate, doneAt: 3 }]);
    expect(undoCandidates(logged(wanted('a'), asked, edited, done('a')), { turnId: 't1', undoId: 'u1' })).toEqual([{ ...candidate, inputAt: 3, doneAt: 4 }]);
  });
});

it('the model is told in the next turn what does not hold any more, and what still does, in no words of a tool', () => {
  const log = logged({ type: 'turn.started', turnId: 't1', text: 'order' }, wanted('a'), done('a'), { type: 'message.completed', turnId: 't1', step: 2, text: 'Ordered.', stopReason: 'end_turn' }, { type: 'turn.completed', turnId: 't1', outcome: 'completed' }, undone('a'), notUndone('b', 'tool/refused'), { type: 'undo.completed', undoId: 'u1', turnId: 't1', undone: 1, failed: 1 }, { type: 'turn.started', turnId: 't2', text: 'and now?' });
  expect(toModelMessages(log).at(-1)).toEqual({
    role: 'user',
    content: [{ text: '(The user had this taken back, and it was: shop__order with {"book":"a"}. It does not hold any more.)' }, { text: '(The user wanted this taken back, and it was not (tool/refused): shop__order. It still holds.)' }, { text: 'and now?' }],
  });
  expect(textToSummarise(undefined, log, 10_000)).toContain('(The user had this taken back, and it was: shop__order.');
  expect(JSON.stringify([toModelMessages(log), textToSummarise(undefined, log, 10_000)])).not.toContain('delete everything');
});

describe('what a source says of taking back', () => {
  const orderId = { name: 'orderId', in: 'path', required: true, schema: { type: 'string' } };
  const body = { content: { 'application/json': { schema: { type: 'object' } } } };
  const paths = { '/orders': { post: { operationId: 'place', requestBody: body }, get: { operationId: 'list' } }, '/orders/{orderId}': { delete: { operationId: 'drop', parameters: [orderId] }, post: { operationId: 'cancel', parameters: [orderId], requestBody: { ...body, required: true } } } };
  const listing = toolsOfDocument({ openapi: '3.0.3', info: {}, servers: [{ url: 'https://shop.example.com' }], paths }, { source: 'shop' });
  const problem = (undo: Record<string, SourceUndo>) => problemWithUndo('shop', listing, undo);

  it('must fit its operations', () => {
    expect(problem({ place: { call: 'drop', with: { '/orderId': '/output/body/id' } } })).toBeUndefined();
    expect(problem({ place: { call: 'cancel', with: { '/orderId': '/output/body/id', '/body/note': '/input/body/note', '/body/by': '/input/body/by' } } })).toBeUndefined();
    for (const [undo, says] of [
      [{ buy: { call: 'drop', with: {} } }, 'no operation buy'],
      [{ place: { call: 'undo', with: {} } }, 'no operation undo'],
      [{ place: { call: 'list', with: {} } }, 'list only reads'],
      [{ list: { call: 'drop', with: { '/orderId': '/output/body/id' } } }, 'list only reads'],
      [{ place: { call: 'drop', with: {} } }, 'needs orderId'],
      [{ place: { call: 'drop', with: { '/orderId': '/output/body/id', '/why': '/input/body' } } }, 'takes no why'],
      [{ place: { call: 'drop', with: { '/orderId': '/input/orderId' } } }, 'takes no orderId'],
      [{ place: { call: 'cancel', with: { '/orderId': '/output/body/id', '/body': '/input/body', '/body/by': '/input/body/by' } } }, 'as a whole, and in parts'],
    ] as const)
      expect(problem(undo)).toContain(says);
  });

  it('leads into a call, and nowhere else', () => {
    const settings = (ways: Record<string, string>) => ToolSourceSettings.safeParse({ kind: 'openapi', undo: { place: { call: 'drop', with: ways } } }).success;
    expect(settings({ '/orderId': '/output/body/id', '/body/a~b': '/input' })).toBe(false);
    expect(settings({ '/body/order': '/input/body/a~1b' })).toBe(true);
    for (const [target, from] of [['/orderId', '/secret'], ['/orderId', 'output/id'], ['/__proto__/polluted', '/output'], ['orderId', '/output'], ['/orderId', '/output/~2']]) expect(settings({ [target ?? '']: from ?? '' })).toBe(false);
  });

  it('becomes the input of the operation that takes back', () => {
    const call = { input: { body: { note: 'n', list: [1, 2] } }, output: { status: 201, body: { id: 7 } } } as { input: JsonValue; output: JsonValue };
    const ways = SourceUndo.parse({ call: 'cancel', with: { '/orderId': '/output/body/id', '/body/why/note': '/input/body/note', '/body/why/second': '/input/body/list/1' } });
    expect(inputOfUndo(ways, call)).toEqual({ input: { orderId: 7, body: { why: { note: 'n', second: 2 } } } });
    expect(inputOfUndo({ call: 'drop', with: { '/orderId': '/output/body/number' } }, call)).toEqual({ problem: 'The call has nothing at /output/body/number, which is needed to take it back.' });
    expect(inputOfUndo({ call: 'drop', with: { '/orderId': '/output/body/constructor' } }, call)).toHaveProperty('problem');
  });
});
