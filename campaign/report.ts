import { allCases } from './cases';
import { faultNames } from './faults';
import type { CaseResult } from './run-case';

/** The campaign as a table: a row for each request that decides, a column for each fault. */
export function toMarkdown(results: readonly CaseResult[], durationMs: number): string {
  const failed = results.filter(({ passed }) => !passed);
  const rowOf = ({ kind, step, direction, point }: CaseResult) => `${kind} | ${step} | ${direction} | ${point}`;
  const rows = [...new Set(results.map(rowOf))].map((row) => [row, results.filter((result) => rowOf(result) === row)] as const);
  return [
    `${results.length - failed.length} of ${results.length} cases passed, in ${(durationMs / 60_000).toFixed(1)} minutes${results.length < allCases().length ? `; ${allCases().length - results.length} of the matrix have not been run` : ''}.`,
    '',
    `| operation | step | direction | request | ${faultNames.join(' | ')} |`,
    `|---|---|---|---|${'---|'.repeat(faultNames.length)}`,
    ...rows.map(([row, ofRow]) => `| ${row} | ${faultNames.map((fault) => cell(ofRow.find((one) => one.fault === fault))).join(' | ')} |`),
    ...notes(),
    ...(failed.length > 0 ? ['', '### What failed', '', ...failed.map(({ id, problems }) => `- \`${id}\`: ${problems.join('; ')}`)] : []),
    '',
  ].join('\n');
}

/** Requests whose faults are not what they are for all others, and why. */
function notes(): string[] {
  const reasons = allCases().flatMap(({ kind, step, point: { name, deniedBriefly, deniedInVain, carriesWorkflow, looksFirst } }) => {
    const of = `- \`${kind}/${step}\`, ${name}:`;
    return [
      ...(deniedBriefly === undefined ? [] : [`${of} denied only once. ${deniedBriefly}`]),
      ...(deniedInVain === undefined ? [] : [`${of} denied, and yet completed. ${deniedInVain}`]),
      ...(carriesWorkflow === true ? [`${of} denied only once. Without it no workflow goes on, whichever step it is in.`] : []),
      ...(looksFirst === true ? [`${of} half done, and yet completed. The next attempt finds what the first one made.`] : []),
    ];
  });
  return ['', 'Empty cells of `half-done`: only a step that is given up when it is denied can be left half done.', ...new Set(reasons)];
}

const cell = (result: CaseResult | undefined): string =>
  result ? `${result.passed ? '' : '✗ '}${result.outcome} ${(result.durationMs / 1_000).toFixed(0)} s` : '';
