import { ApiClient } from '../api-client';
import type { Cli } from '../cli';
import { command } from '../command';
import { checkClock, checkReachable, checkReady, checkSignedIn, checkVersion } from '../doctor/api';
import type { Finding, Patient } from '../doctor/finding';
import { checkEnvironment, checkNode, checkPorts, checkPython } from '../doctor/machine';
import { checkPlatform } from '../doctor/platform';
import { CliFailure, exitCodes } from '../failures';
import type { Paint } from '../terminal/paint';
import { printable } from '../terminal/table';

const marks: Readonly<Record<Finding['state'], readonly [Parameters<Paint>[0], string]>> = {
  ok: ['green', '✓'],
  warning: ['yellow', '!'],
  failed: ['red', '✗'],
  skipped: ['dim', '–'],
};

export const doctorCommand = command({
  usage: 'doctor',
  summary: 'check everything that the command line and the platform need; say what is wrong, and how to mend it',
  async run(cli) {
    const admitted = await admit(cli);
    const reachable = await checkReachable(admitted);
    // Who does not live is not asked for more.
    const patient = reachable.state === 'ok' ? admitted : { ...admitted, api: undefined };
    const findings = (
      await Promise.all([
        checkNode(),
        checkPython(patient),
        checkEnvironment(patient),
        checkPorts(patient),
        Promise.resolve(reachable),
        checkReady(patient),
        checkVersion(patient),
        checkClock(patient),
        checkSignedIn(patient),
        checkPlatform(patient),
      ])
    ).flat();
    cli.out.result({ healthy: isHealthy(findings), checks: findings }, () => findings.map((finding) => linesOf(finding, cli.out.paint)).join('\n'));
    if (!isHealthy(findings)) throw new CliFailure(exitCodes.failed, `${findings.filter(({ state }) => state === 'failed').length} checks failed.`);
  },
});

/** Also when there is nothing to talk to: that is the first thing to find. */
async function admit(cli: Cli): Promise<Patient> {
  const target = await cli.target().catch((error: unknown) => {
    if (error instanceof CliFailure && error.exitCode === exitCodes.unavailable) return undefined;
    throw error;
  });
  return { cli, target, api: target && new ApiClient(target.apiUrl) };
}

const isHealthy = (findings: readonly Finding[]): boolean => findings.every(({ state }) => state !== 'failed');

function linesOf({ name, state, detail, fix }: Finding, paint: Paint): string {
  const [style, mark] = marks[state];
  const line = `${paint(style, mark)} ${name.padEnd(12)} ${printable(detail)}`;
  return fix === undefined ? line : `${line}\n  ${' '.repeat(12)} → ${fix}`;
}
