import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Response } from 'express';
import type { WebPage } from './pages/html';
import type { RequestContext } from './request-context';
import { hasLocation, type Reply, type Route } from './route';
import { sendEvents, stalledMs } from './server-sent-events';

/** Sends what a route's handler came to, after a look at whether its body is what the API's description says. */
export async function sendReply(route: Route, reply: Reply<unknown>, response: Response, context: RequestContext): Promise<void> {
  if ('headers' in reply) response.set(reply.headers);
  if (route.hasPage) response.vary('Accept');
  if ('events' in reply) await sendEvents(response, reply.events, context);
  else if ('lines' in reply) await sendLines(response, reply.lines);
  else if ('file' in reply) sendFile(response.status(route.status), reply.file);
  else if ('page' in reply) sendPage(response.status(reply.status ?? route.status), reply.page);
  else if ('body' in reply) sendBody(route, reply, response);
  else response.status(reply.status).end();
}

function sendBody({ status: usual, response: schema }: Route, { body, status = usual }: { body: unknown; status?: number }, response: Response): void {
  if (hasLocation(status) !== response.hasHeader('Location')) throw new Error('Answers with 201 and 202 have a Location, and no others.');
  response.status(status).json(schema.parse(body));
}

/** As fast as the reader takes them. Broken off when something goes wrong on the way, or the reader takes no more: the last line is not there then. */
async function sendLines(response: Response, lines: AsyncIterable<object>): Promise<void> {
  response.status(200).type('application/jsonl');
  const cutOff = setTimeout(() => response.destroy(), stalledMs).unref();
  try {
    await pipeline(Readable.from(textOf(lines, cutOff)), response);
  } catch (error) {
    if (!isOfGoneReader(error)) throw error;
  } finally {
    clearTimeout(cutOff);
  }
}

/** What a pipeline says when where it leads to was closed before its end. */
const isOfGoneReader = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';

async function* textOf(lines: AsyncIterable<object>, cutOff: NodeJS.Timeout): AsyncGenerator<string> {
  for await (const line of lines) {
    cutOff.refresh();
    yield `${JSON.stringify(line)}\n`;
  }
}

/** What somebody uploaded may hold anything: a browser saves it, and runs nothing of it. */
function sendFile(response: Response, { content, mediaType, name }: { content: Uint8Array; mediaType: string; name: string }): void {
  response.set('Content-Disposition', `attachment; filename*=UTF-8''${encodeURIComponent(name).replaceAll(/['()*!]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)}`);
  response.set('Content-Security-Policy', "default-src 'none'; sandbox");
  response.set('Cache-Control', 'private, no-store');
  response.set('Content-Type', mediaType);
  response.end(content);
}

/** A page may hold what others wrote: it loads nothing, runs nothing, and is kept by no cache. */
function sendPage(response: Response, { html, style, hasForm = false }: WebPage): void {
  const styleHash = createHash('sha256').update(style).digest('base64');
  response.set('Content-Security-Policy', `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action ${hasForm ? "'self'" : "'none'"}; frame-ancestors 'none'`);
  response.set('Cache-Control', 'no-store');
  // Without it the form's request would not say where it comes from.
  if (hasForm) response.set('Referrer-Policy', 'same-origin');
  response.type('html').send(html);
}
