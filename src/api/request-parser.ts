import { promisify } from 'node:util';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { DomainError } from '../contracts/errors';
import { InvalidRequest } from './problem';
import type { Route, RouteInput } from './route';

const IdempotencyKey = z.string().min(1).max(255).optional();

export type ParsedRequest = Pick<RouteInput<unknown, unknown, unknown>, 'params' | 'query' | 'body' | 'idempotencyKey'>;

/**
 * Reads and checks a request by its route's schemas, all parts of it before any is complained about.
 *
 * @throws DomainError `request/malformed` ({@link InvalidRequest}), `request/unsupported-media-type`; the body parser's own errors.
 */
export function createRequestParser({ maxBodyBytes }: { maxBodyBytes: number }) {
  const jsonParser: RequestHandler = express.json({ limit: maxBodyBytes, type: () => true });
  const parseJson = promisify(jsonParser);

  async function readJson(request: Request, response: Response): Promise<unknown> {
    // Without a body there is nothing to be of another type: the schema says whether there must be one.
    const hasBody = request.get('Content-Length') !== '0';
    if (hasBody && request.is(['json', '+json']) === false) throw new DomainError('request/unsupported-media-type', 'Send the body as application/json.');
    await parseJson(request, response);
    return request.body ?? {};
  }

  return async (route: Route, request: Request, response: Response): Promise<ParsedRequest> => {
    const issues: InvalidRequest['issues'][number][] = [];
    const check = (place: string, schema: z.ZodType | undefined, value: unknown): unknown => {
      const { data, error } = schema?.safeParse(value) ?? {};
      for (const { path, message } of error?.issues ?? []) issues.push({ path: [place, ...path].map(String).join('.'), message });
      return data;
    };
    const parsed = {
      params: check('path', route.params, request.params),
      query: check('query', route.query, request.query),
      idempotencyKey: check('Idempotency-Key', IdempotencyKey, request.get('Idempotency-Key')) as string | undefined,
      body: route.body && check('body', route.body, await readJson(request, response)),
    };
    if (issues.length > 0) throw new InvalidRequest(issues);
    return parsed;
  };
}
