import { once } from 'node:events';
import { connect } from 'node:net';
import type { Diagnostics } from '../../contracts/diagnostics';
import { briefly, failed, type Finding, messageOf, ok, type Patient, skipped, warning } from './finding';

/** What only the platform itself can see; without an API that lets us in, what can be seen from here. */
export async function checkPlatform(patient: Patient): Promise<Finding[]> {
  const { cli, api } = patient;
  if (!api) return fromOutside(patient, 'there is no API to ask');
  try {
    const access = await cli.operator();
    const diagnostics = await access.call<Diagnostics>('/api/v1/diagnostics', briefly);
    return [...dependencyFindings(diagnostics), ...queueFindings(diagnostics), ...registryFindings(diagnostics), await checkSchedules(patient)];
  } catch (error) {
    return fromOutside(patient, messageOf(error));
  }
}

const fixes: Readonly<Record<string, string>> = {
  temporal: 'Bring Temporal back, and check TEMPORAL_ADDRESS of the API and the workers.',
  aws: 'Check the network to AWS, and the role of the API; beside "npm start": .tenure/state/logs/aws.log',
  valkey: 'Bring Valkey back, and check VALKEY_URL of the API.',
};

const dependencyFindings = ({ dependencies }: Diagnostics): Finding[] =>
  dependencies.map(({ name, ok: isOk, detail }) => (isOk ? ok(name, 'answers the API') : failed(name, detail, fixes[name] ?? 'See docs/runbooks.md.')));

function queueFindings({ queues, tenants: { checked, isComplete } }: Diagnostics): Finding[] {
  const unserved = queues.filter(({ pollers }) => pollers === 0);
  if (queues.length === 0) return [skipped('workers', 'Temporal does not say')];
  const looked = `${checked} tenant${checked === 1 ? '' : 's'}${isComplete ? '' : ', of more'}`;
  if (unserved.length === 0) return [ok('workers', `serve sessions, lifecycle and ${looked}`)];
  const names = unserved.map(({ queue, lastPolledAt }) => `${queue} (${lastPolledAt === undefined ? 'never' : `last at ${lastPolledAt}`})`);
  const [idle] = unserved.flatMap(({ idleVersions = [] }) => idleVersions);
  const fix =
    idle === undefined
      ? 'Start workers (dist/worker.js); beside "npm start" see .tenure/state/logs/worker.log'
      : `Version ${idle} of the workers waits to be made the current one: see docs/how-to/deploy-a-new-version.md.`;
  return [failed('workers', `nobody serves ${names.join(', ')}`, fix)];
}

const registryFindings = ({ tenants: { unreadable = [] } }: Diagnostics): Finding[] =>
  unreadable.map((tenantId) => failed('registry', `the entry of tenant ${tenantId} cannot be read`, `See what is wrong with it: tenure tenant show ${tenantId}. Then mend it in table tenant-registry.`));

interface Job {
  readonly name: string;
  readonly paused: boolean;
  readonly note: string;
}

async function checkSchedules({ cli }: Patient): Promise<Finding> {
  const jobs = await (await cli.operator()).call<{ data: Job[] }>('/api/v1/maintenance', briefly).catch((error: unknown) => messageOf(error));
  if (typeof jobs === 'string') return skipped('schedules', jobs);
  if (jobs.data.length === 0) return failed('schedules', 'nothing runs by the clock', 'Run the bootstrap (dist/bootstrap.js): it makes the schedules of the platform.');
  const paused = jobs.data.filter((job) => job.paused);
  if (paused.length > 0) return warning('schedules', `paused: ${paused.map(({ name, note }) => `${name} (${note})`).join(', ')}`, 'tenure maintenance resume <job> --reason …');
  return ok('schedules', `${jobs.data.length} jobs run by the clock`);
}

/** Beside a local stack, its ports can be knocked at. */
async function fromOutside({ target }: Patient, why: string): Promise<Finding[]> {
  const { local } = target ?? {};
  const knocks = local ? ([['temporal', local.temporalAddress, listens(local.temporalAddress)], ['aws', local.aws.endpoint, answersHttp(local.aws.endpoint)]] as const) : [];
  const found = await Promise.all(
    knocks.map(async ([name, address, isThere]) =>
      (await isThere) ? ok(name, `is there, at ${address}`) : failed(name, `does not answer at ${address}`, `Is "npm start" still running? Its log is .tenure/state/logs/${name}.log`),
    ),
  );
  return [...found, ...(local ? [] : [skipped('temporal', why), skipped('aws', why)]), skipped('workers', why), skipped('schedules', why)];
}

/** A process that hangs still listens. */
const answersHttp = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(knockMs) }).then(
    () => true,
    () => false,
  );

const knockMs = 2_000;

async function listens(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(/:(?=\d+$)/);
  const socket = connect({ host, port: Number(port), timeout: knockMs });
  try {
    await Promise.race([once(socket, 'connect'), once(socket, 'timeout').then(() => Promise.reject(new Error('silent')))]);
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
