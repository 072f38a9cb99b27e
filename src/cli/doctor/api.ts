import { version } from '../../../package.json';
import { DomainError } from '../../contracts/errors';
import { type ApiClient, ApiProblem } from '../api-client';
import { CliFailure } from '../failures';
import { briefly, failed, type Finding, messageOf, ok, type Patient, skipped, warning } from './finding';

/** That the process lives is nothing it has to ask others for. */
const aliveWithinMs = 5_000;
const noApi = 'there is no API to ask';

export async function checkReachable({ api, target }: Patient): Promise<Finding> {
  if (!api || !target) return failed('api', 'no local stack runs here, and you have not signed in anywhere', 'Run "npm start" in another terminal, or: tenure login --api <url>');
  return api.call('/healthz', { withinMs: aliveWithinMs }).then(
    () => ok('api', `${target.apiUrl} answers (found by ${target.from})`),
    (error: unknown) =>
      failed('api', messageOf(error), target.local ? 'Is "npm start" still running? Its log is .tenure/state/logs/api.log' : 'Check the address (--api, TENURE_API_URL), and the network between.'),
  );
}

export async function checkReady({ api }: Patient): Promise<Finding> {
  if (!api) return skipped('ready', noApi);
  const response = await fetch(new URL('/readyz', api.baseUrl), { signal: AbortSignal.timeout(briefly.withinMs) }).catch(() => undefined);
  if (!response) return skipped('ready', 'the API does not answer');
  const { ready, dependencies } = (await response.json()) as { ready: boolean; dependencies: Record<string, string> };
  if (ready) return ok('ready', `has ${Object.keys(dependencies).join(', ')}`);
  const lacking = Object.entries(dependencies).filter(([, state]) => state !== 'ok');
  return failed('ready', `lacks ${lacking.map(([name, state]) => `${name} (${state})`).join(', ')}`, 'Bring it back; nothing else needs to be done. See docs/runbooks.md.');
}

export async function checkVersion({ api }: Patient): Promise<Finding> {
  const { info } = (await api?.call<{ info: { version: string } }>('/openapi.json', briefly).catch(() => undefined)) ?? {};
  if (!info) return skipped('version', api ? 'the API does not answer' : noApi);
  if (info.version === version) return ok('version', `${version}, here and there`);
  return warning('version', `this is ${version}, the API is ${info.version}`, 'Install the version the API has: commands that are newer than it are refused.');
}

/** Tokens and signatures end when clocks differ by minutes. */
const worrying = { seconds: 30 };
const fatal = { seconds: 300 };

export async function checkClock({ api }: Patient): Promise<Finding> {
  if (!api) return skipped('clock', noApi);
  const sentAtMs = Date.now();
  const response = await fetch(new URL('/healthz', api.baseUrl), { signal: AbortSignal.timeout(aliveWithinMs) }).catch(() => undefined);
  const theirs = Date.parse(response?.headers.get('date') ?? '');
  if (Number.isNaN(theirs)) return skipped('clock', 'the API does not say what time it is');
  const aheadSeconds = Math.round(((sentAtMs + Date.now()) / 2 - theirs) / 1_000);
  const off = Math.abs(aheadSeconds);
  const detail = off <= 1 ? 'agrees with the API' : `${off} s ${aheadSeconds > 0 ? 'ahead of' : 'behind'} the API`;
  const fix = 'Set this machine\'s clock, best by NTP: "timedatectl set-ntp true".';
  if (off > fatal.seconds) return failed('clock', detail, fix);
  return off > worrying.seconds ? warning('clock', detail, fix) : ok('clock', detail);
}

export async function checkSignedIn({ cli, api, target }: Patient): Promise<Finding> {
  if (!api || !target) return skipped('sign-in', noApi);
  try {
    const access = await cli.operator();
    await access.call('/api/v1/tenants?limit=1', briefly);
    return ok('sign-in', `as an operator, by ${access.source.from}`);
  } catch (error) {
    if (error instanceof CliFailure) return failed('sign-in', error.message, error.hint ?? 'tenure login');
    if (error instanceof ApiProblem && (error.status === 401 || error.status === 403)) return failed('sign-in', `${error.code}: ${error.message}`, signInFix(api));
    // Where one signs in is asked of AWS, beside a local stack by the command line itself.
    if (error instanceof DomainError) return failed('sign-in', `${error.code}: ${error.message}`, 'Bring it back; nothing else needs to be done. See docs/runbooks.md.');
    return skipped('sign-in', messageOf(error));
  }
}

const signInFix = (api: ApiClient): string =>
  process.env['TENURE_TOKEN'] ? 'TENURE_TOKEN holds a token that is not good here: unset it, or set a new one.' : `tenure login --api ${api.baseUrl}`;
