import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { DomainError } from '../contracts/errors';
import { newId } from '../contracts/ids';
import { problemOf } from './problem';

const refusals: Readonly<Record<string, () => DomainError>> = {
  HPE_HEADER_OVERFLOW: () => new DomainError('request/head-too-large', 'The address and headers of a request may have 16 KB together.'),
  ERR_HTTP_REQUEST_TIMEOUT: () => new DomainError('request/timeout', 'The request did not arrive in time.'),
};

/** What is no HTTP, or too much of it, never becomes a request: Node.js answers without a word. It is a problem like others here. */
export function answerUnreadable(server: Server, logger: Logger): Server {
  const answers = new WeakMap<Socket, ServerResponse>();
  server.on('request', (request, response) => void answers.set(request.socket, response));
  return server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const last = answers.get(socket);
    const isBeingAnswered = last?.headersSent === true && !last.writableFinished;
    // Gone, or in the middle of an answer: there is nobody to tell, or no way to.
    if (error.code === 'ECONNRESET' || !socket.writable || isBeingAnswered) return void socket.destroy();
    const requestId = newId('request');
    const { problem } = problemOf(refusals[error.code ?? '']?.() ?? new DomainError('request/malformed', 'This is no HTTP request.'), requestId);
    const body = JSON.stringify(problem);
    logger.info({ requestId, status: problem.status, reason: error.code }, 'request cannot be read');
    const headers = ['Content-Type: application/problem+json; charset=utf-8', `Content-Length: ${Buffer.byteLength(body)}`, `X-Request-Id: ${requestId}`, 'X-Content-Type-Options: nosniff', 'Connection: close'];
    socket.end([`HTTP/1.1 ${problem.status} ${problem.title}`, ...headers, '', body].join('\r\n'));
  });
}
