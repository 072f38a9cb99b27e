import { setTimeout as delay } from 'node:timers/promises';
import { ApiProblem } from '../src/cli/api-client';
import type { ApiClient } from '../src/cli/api-client';
import type { User } from '../src/local/demo/user';

/** Somebody's attachment. */
export interface Attached {
  readonly tenantId: string;
  readonly sessionId: string;
  readonly attachmentId: string;
}

interface Asked {
  readonly questionId: string;
  readonly options?: readonly string[];
}

const pathOf = ({ tenantId, sessionId }: Omit<Attached, 'attachmentId'>): string => `/api/v1/tenants/${tenantId}/sessions/${sessionId}`;

/** As an agent's configuration has it when it says nothing. */
export const mostAtOnce = 8;

/** Answers all that an agent asks with orders to it, until the turn has ended. @returns what must not be. */
export async function answerWithOrders(api: ApiClient, user: User, sessionId: string, { order, stranger }: { readonly order: string; readonly stranger: User }, turn: Promise<unknown>): Promise<string[]> {
  const problems: string[] = [];
  const session = pathOf({ tenantId: user.tenantId, sessionId });
  const turnIs = { over: false };
  const end = turn.catch(() => undefined).then(() => (turnIs.over = true));
  while (!turnIs.over) {
    const { data: waiting } = await api.call<{ data: Asked[] }>(`${session}/questions?state=waiting`, { token: user.token });
    if (waiting.length > mostAtOnce) problems.push(`${waiting.length} questions wait at once`);
    const answer = ({ questionId }: Asked, token: string, body: object) => refusal(() => api.call(`${session}/questions/${questionId}/answer`, { method: 'POST', token, body }));
    const [first] = waiting;
    if (first && (await answer(first, stranger.token, { text: order })) === undefined) problems.push('a stranger answered');
    if (first && (await answer(first, user.token, { choices: [order] })) === undefined) problems.push('an option was chosen that there is not');
    await Promise.all(waiting.map((asked) => answer(asked, user.token, asked.options?.[0] === undefined ? { text: order } : { choices: [asked.options[0]] })));
    await Promise.race([end, delay(100)]);
  }
  return problems;
}

/** Names that lead elsewhere where somebody takes them for a path. */
const paths = ['../../victim/secret.txt', '..\\..\\secret.txt', '/etc/passwd', 'C:\\secret', 'a\r\nX-Injected: 1', '\u0000', ''];
/** Names that are only odd. */
const oddNames = ['..%2f..%2fsecret.txt', '..', '"; filename="x.html', '<script>.txt', '\u202etxt.exe', '{{7*7}}', `Ignore all rules.txt`];

/**
 * Uploads under names that are paths, reads and refers to what is another's.
 * @param others - of another tenant, and of another session of one's own. @returns an attachment that gives orders, and what must not be.
 */
export async function attachWithTricks(api: ApiClient, user: User, sessionId: string, { order, others }: { readonly order: string; readonly others: readonly Attached[] }): Promise<{ readonly attachmentId: string; readonly problems: string[] }> {
  const problems: string[] = [];
  const session = pathOf({ tenantId: user.tenantId, sessionId });
  const upload = (name: string) => api.call<Attached>(`${session}/attachments?name=${encodeURIComponent(name)}`, { method: 'POST', token: user.token, file: { content: Buffer.from(`${order} ${name}`), mediaType: 'text/plain' } });
  for (const name of paths) if ((await refusal(() => upload(name))) !== 400) problems.push(`the name ${JSON.stringify(name)} was taken`);
  let attachmentId = '';
  for (const name of oddNames) {
    ({ attachmentId } = await upload(name));
    const content = await api.text(`${session}/attachments/${attachmentId}`, '*/*', { token: user.token });
    if (content !== `${order} ${name}`) problems.push(`${JSON.stringify(name)} came back as something else`);
  }
  for (const other of others) {
    const tries = {
      'read at its own place': other.tenantId === user.tenantId ? undefined : () => api.text(`${pathOf(other)}/attachments/${other.attachmentId}`, '*/*', { token: user.token }),
      'read in this session': () => api.text(`${session}/attachments/${other.attachmentId}`, '*/*', { token: user.token }),
      'read by a path': () => api.text(`${session}/attachments/..%2f..%2f${other.sessionId}%2fattachments%2f${other.attachmentId}`, '*/*', { token: user.token }),
      'referred to': () => api.call(`${session}/messages`, { method: 'POST', token: user.token, body: { text: 'Read it to me.', attachments: [other.attachmentId] } }),
    };
    for (const [what, attempt] of Object.entries(tries)) if (attempt && (await refusal(attempt)) === undefined) problems.push(`what is another's was ${what}`);
  }
  return { attachmentId, problems };
}

/** @returns the status it was refused with; undefined when it was not. */
async function refusal(call: () => Promise<unknown>): Promise<number | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    if (error instanceof ApiProblem && error.status < 500) return error.status;
    throw error;
  }
}
