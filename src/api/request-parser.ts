import { promisify } from 'node:util';
import express, { type Request, type Response } from 'express';
import { z } from 'zod';
import { DomainError } from '../contracts/errors';
import { requestDigest } from '../contracts/request-digest';
import type { TenantRecord } from '../contracts/tenant';
import type { Tiers } from '../contracts/tiers';
import { definitionOf } from '../domain/tiers';
import { InvalidRequest } from './problem';
import type { Route, RouteInput } from './route';
import { mustBeSound } from './sound-body';
import { spelledOut } from './spelled-out';

/** Temporal takes 2 MB a payload, and Base64 adds a third: 4 MB where other bodies have 256 KB. */
const payloadsFactor = 16;

/** Bytes a body of this route may have. @param tierBytes - what the tenant's tier allows, if a tenant's user asks. */
export const bodyLimitOf = ({ takesPayloads }: Pick<Route, 'takesPayloads'>, maxBodyBytes: number, tierBytes = Infinity): number =>
  takesPayloads ? maxBodyBytes * payloadsFactor : Math.min(maxBodyBytes, tierBytes);

const IdempotencyKey = z.string().min(1).max(255).optional();

export type ParsedRequest = Pick<RouteInput<unknown, unknown, unknown>, 'params' | 'query' | 'body' | 'idempotencyKey' | 'requestDigest'>;

/**
 * Reads and checks a request by its route's schemas, all parts of it before any is complained about.
 *
 * @throws DomainError `request/malformed`, `request/inconsistent` ({@link InvalidRequest}), `request/unsupported-media-type`; the body parser's own errors.
 */
export function createRequestParser({ maxBodyBytes, tiers }: { readonly maxBodyBytes: number; readonly tiers: Tiers }) {
  // As many parsers as there are limits: few.
  const parsers = new Map<string, (request: Request, response: Response) => Promise<void>>();
  const parserOf = (type: 'json' | 'form', limit: number) => {
    const known = parsers.get(`${type} ${limit}`);
    if (known) return known;
    const parse = promisify<Request, Response>(type === 'json' ? express.json({ limit, type: () => true }) : express.urlencoded({ limit, extended: false }));
    parsers.set(`${type} ${limit}`, parse);
    return parse;
  };

  async function readBody(route: Route, request: Request, response: Response, tenant: TenantRecord | undefined): Promise<unknown> {
    const limit = bodyLimitOf(route, maxBodyBytes, tenant && definitionOf(tiers, tenant.tier).bodyBytes);
    if (route.takesForm && request.is('urlencoded') === 'urlencoded') {
      await parserOf('form', limit)(request, response);
      return { ...(request.body as object) };
    }
    // Without a body there is nothing to be of another type: the schema says whether there must be one.
    const hasBody = request.get('Content-Length') !== '0';
    if (hasBody && request.is(['json', '+json']) === false) throw new DomainError('request/unsupported-media-type', 'Send the body as application/json.');
    await parserOf('json', limit)(request, response);
    mustBeSound(request.body);
    return request.body ?? {};
  }

  return async (route: Route, request: Request, response: Response, tenant?: TenantRecord): Promise<ParsedRequest> => {
    const issues: InvalidRequest['issues'][number][] = [];
    // Refinements are what a JSON Schema cannot say: who keeps to the OpenAPI document meets no 400.
    const codes = new Set<string>();
    const check = (place: string, schema: z.ZodType | undefined, value: unknown): unknown => {
      const { data, error } = schema?.safeParse(value) ?? {};
      for (const issue of error?.issues ?? []) {
        issues.push(...spelledOut(issue).map(({ path, message }) => ({ path: [place, ...path].map(String).join('.'), message })));
        codes.add(issue.code);
      }
      return data;
    };
    const parsed = {
      params: check('path', route.params, request.params),
      query: check('query', route.query, request.query),
      idempotencyKey: check('Idempotency-Key', IdempotencyKey, request.get('Idempotency-Key')) as string | undefined,
      body: route.body && check('body', route.body, await readBody(route, request, response, tenant)),
    };
    if (issues.length > 0) throw new InvalidRequest(issues, codes.size === 1 && codes.has('custom') ? 'request/inconsistent' : 'request/malformed');
    const { idempotencyKey, body } = parsed;
    // The key is kept nowhere else: without it, nobody learns by guessing what was asked.
    return { ...parsed, requestDigest: route.idempotent && idempotencyKey !== undefined ? requestDigest({ idempotencyKey, body }) : undefined };
  };
}
