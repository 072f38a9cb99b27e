import { createHash } from 'node:crypto';
import { z } from 'zod';
import { codeOf, DomainError, errors, publicFailure } from '../../contracts/errors';
import { operatorCookie, rateBuckets } from '../../contracts/names';
import type { HistoryReader } from '../../ports/history';
import type { OperatorSignIn } from '../../ports/identity';
import type { RequestLimiter } from '../../ports/request-limiter';
import { signInPage } from '../pages/sign-in-page';
import { limitRate } from '../rate-limit';
import { type Caller, operatorRoute, publicRoute, type Reply, type Route, type RouteInput } from '../route';

export interface CodecRoutesDeps {
  readonly history: HistoryReader;
  readonly operatorSignIn: OperatorSignIn;
  readonly limiter: RequestLimiter;
  readonly temporalUiUrl: string | undefined;
}

/** Temporal's codec server, for its UI and command line, and the sign-in for browsers. See docs/decisions/0033-codec-server.md. */
export const codecRoutes = (deps: CodecRoutesDeps): Route[] => [...conversionRoutes(deps), ...signInRoutes(deps)];

/**
 * Temporal's contract sends and expects protobuf's JSON, which leaves out what is empty: `temporal workflow query` asks for no payloads.
 * @see https://docs.temporal.io/codec-server
 */
const Payloads = z.strictObject({
  payloads: z.array(z.object({ metadata: z.record(z.string(), z.base64()).optional(), data: z.base64().optional() })).max(1_000).default([]),
});

/** The UI asks for each payload on its own: a page of a long history is a few hundred requests. */
const perOperator = ({ userId }: Caller) => ({ bucket: rateBuckets.codec(userId), who: 'An operator', rate: { requestsPerMinute: 6_000, burst: 2_000 } });

const conversionRoutes = ({ history }: CodecRoutesDeps): Route[] => {
  const conversion = (name: 'decode' | 'encode', summary: string): Route =>
    operatorRoute({
      method: 'post',
      path: `/codec/${name}`,
      summary,
      permission: 'read:history',
      fromTemporalUi: true,
      takesPayloads: true,
      // It changes nothing; that somebody reads is worth a line.
      audit: 'counted',
      limit: perOperator,
      body: Payloads,
      response: Payloads,
      status: 200,
      handle: async ({ body }) => ({ headers: { 'Cache-Control': 'no-store' }, body: { payloads: await history[name](body.payloads) } }),
    });
  return [conversion('decode', 'Decrypt payloads of workflow histories'), conversion('encode', 'Encrypt payloads for a workflow')];
};

const Credentials = z.object({ email: z.email(), password: z.string().min(1).max(256) });

/** Cognito slows guessing down too; this keeps it from being asked. */
const guessing = (email: string, address: string) => ({
  // With where it comes from: nobody is kept from signing in by others who guess elsewhere.
  bucket: rateBuckets.signIn(createHash('sha256').update(email.toLowerCase()).digest('hex'), address),
  who: 'Whoever signs in with this e-mail address from here',
  rate: { requestsPerMinute: 10, burst: 10 },
});

const signInRoutes = ({ operatorSignIn, limiter, temporalUiUrl }: CodecRoutesDeps): Route[] => {
  type Page = Omit<Parameters<typeof signInPage>[0], 'codecEndpoint' | 'temporalUiUrl'>;
  const page = ({ header }: Pick<RouteInput<unknown, unknown, unknown>, 'header'>, content: Page = {}) =>
    signInPage({ ...content, temporalUiUrl, codecEndpoint: `${originOf(header)}/codec` });

  return [
    publicRoute({
      method: 'get',
      path: '/codec',
      summary: 'Page to sign in with, so that the Temporal UI shows plain text',
      isPage: true,
      response: z.never(),
      status: 200,
      handle: (input) => Promise.resolve({ page: page(input) }),
    }),
    publicRoute({
      method: 'post',
      path: '/codec/sign-in',
      summary: 'Sign an operator in: sets the cookie the Temporal UI sends along',
      isPage: true,
      takesForm: true,
      body: Credentials,
      response: z.never(),
      status: 200,
      otherStatuses: { 401: 'E-mail or password are wrong', 403: "Another site's page", 404: 'There is no Temporal UI to sign in for', 429: 'Too many attempts' },
      async handle(input): Promise<Reply<never>> {
        const { body, header } = input;
        // Its cookie would let nobody read anything.
        if (temporalUiUrl === undefined) return { status: 404, page: page(input, { refusal: 'This API does not know of a Temporal UI: its setting TEMPORAL_UI_URL is missing.' }) };
        try {
          refuseOtherOrigins(header);
          await limitRate(limiter, guessing(body.email, input.address));
          const { accessToken, expiresAt } = await operatorSignIn.signIn(body);
          const until = new Date(expiresAt);
          const maxAgeSeconds = Math.floor((until.getTime() - Date.now()) / 1_000);
          return { headers: { 'Set-Cookie': cookie(accessToken, maxAgeSeconds, sameSite(header, temporalUiUrl)) }, page: page(input, { signedIn: { email: body.email, until } }) };
        } catch (error) {
          const code = codeOf(error);
          if (code !== 'auth/unauthenticated' && code !== 'auth/forbidden' && code !== 'request/rate-limited') throw error;
          return { status: errors[code].status, page: page(input, { refusal: publicFailure(error, code).message }) };
        }
      },
    }),
    publicRoute({
      method: 'post',
      path: '/codec/sign-out',
      summary: 'Take the cookie back',
      isPage: true,
      response: z.never(),
      status: 200,
      handle: (input) => Promise.resolve({ headers: { 'Set-Cookie': cookie('', 0, sameSite(input.header, temporalUiUrl)) }, page: page(input) }),
    }),
  ];
};

type Header = (name: string) => string | undefined;

const isLoopback = (host: string): boolean => /^(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(host);

const originOf = (header: Header): string => {
  const host = header('host') ?? '';
  return `${isLoopback(host) ? 'http' : 'https'}://${host}`;
};

/** Undefined for `null`, as a page from nowhere has it. */
const urlOf = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined);

/** Nobody else's page may sign a browser in, as whoever it likes. */
function refuseOtherOrigins(header: Header): void {
  const origin = header('origin');
  if (origin !== undefined && urlOf(origin)?.host !== header('host')) throw new DomainError('auth/forbidden', 'Sign in on the page at /codec.');
}

/** On one host the strictest works. Elsewhere the UI's requests come from another site: then the origin's check is what guards the cookie. */
const sameSite = (header: Header, temporalUiUrl: string | undefined): 'Strict' | 'None' =>
  temporalUiUrl !== undefined && new URL(temporalUiUrl).hostname === urlOf(originOf(header))?.hostname ? 'Strict' : 'None';

const cookie = (value: string, maxAgeSeconds: number, site: 'Strict' | 'None'): string =>
  `${operatorCookie}=${value}; Path=/codec; Max-Age=${maxAgeSeconds}; HttpOnly; Secure; SameSite=${site}`;
