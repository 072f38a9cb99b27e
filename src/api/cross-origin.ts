import type { Express } from 'express';

export interface CrossOriginDeps {
  /** The only one whose pages may read answers of this API; nobody's when undefined. */
  readonly temporalUiUrl: string | undefined;
}

const preflightSeconds = 600;

/** Lets pages of the Temporal UI, and no others, call these addresses with the operator's cookie. @see https://fetch.spec.whatwg.org/#http-cors-protocol */
export function allowTemporalUi(app: Express, paths: readonly string[], { temporalUiUrl }: CrossOriginDeps): void {
  if (temporalUiUrl === undefined) return;
  const { origin } = new URL(temporalUiUrl);
  for (const path of new Set(paths))
    app.all(path, (request, response, next) => {
      response.vary('Origin');
      if (request.get('origin') !== origin) {
        next();
        return;
      }
      response.set({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true' });
      if (request.method !== 'OPTIONS') {
        next();
        return;
      }
      response.set({
        'Access-Control-Allow-Methods': 'POST',
        'Access-Control-Allow-Headers': 'Content-Type, X-Namespace, Authorization, Authorization-Extras',
        'Access-Control-Max-Age': String(preflightSeconds),
      });
      response.status(204).end();
    });
}
