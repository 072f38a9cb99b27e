import type { Route } from '../../src/api/route';
import { declaredRoutes, requestTo, titleOf } from './requests';
import { type RunningApi, startApi } from './running-api';

let api: RunningApi;
beforeAll(async () => {
  api = await startApi({ temporalUiUrl: 'https://temporal.example.com' });
});
afterAll(() => api.stop());

const elsewhere = 'https://evil.example.com';
const titled: [string, Route][] = declaredRoutes.map((route) => [titleOf(route), route]);

/** As a browser would from a page of another site; a page answers HTML, which is not read here. */
async function ask(route: Route, method: string): Promise<Response> {
  const { path, request } = requestTo(route, 'no-such-tenant');
  return fetch(api.url + path, {
    method,
    headers: { ...request.headers, origin: elsewhere, ...(method === 'OPTIONS' && { 'access-control-request-method': route.method.toUpperCase() }) },
  });
}

describe.each(titled)('%s', (_title, route) => {
  it('answers with secure headers, and says nothing of what it is made of', async () => {
    const { headers } = await ask(route, route.method.toUpperCase());
    expect(headers.get('content-security-policy')).toMatch(/default-src '(self|none)'/);
    expect(headers.get('strict-transport-security')).toMatch(/max-age=\d{7,}/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toMatch(/^(SAMEORIGIN|DENY)$/);
    expect(headers.get('referrer-policy')).toMatch(/^(no-referrer|same-origin)$/);
    expect([headers.has('x-powered-by'), headers.has('server')]).toEqual([false, false]);
  });

  it('lets no page of another site read its answer', async () => {
    for (const method of [route.method.toUpperCase(), 'OPTIONS']) {
      const { headers } = await ask(route, method);
      expect([headers.get('access-control-allow-origin'), headers.get('access-control-allow-credentials')]).toEqual([null, null]);
    }
  });
});
