import { faultNames } from './faults';
import type { CaseResult } from './run-case';

/** The campaign as a table: a row for each request that decides, a column for each fault. */
export function toMarkdown(results: readonly CaseResult[], durationMs: number): string {
  const failed = results.filter(({ passed }) => !passed);
  const rowOf = ({ kind, step, direction, point }: CaseResult) => `${kind} | ${step} | ${direction} | ${point}`;
  const rows = [...new Set(results.map(rowOf))].map((row) => [row, results.filter((result) => rowOf(result) === row)] as const);
  return [
    `${results.length - failed.length} of ${results.length} cases passed, in ${(durationMs / 60_000).toFixed(1)} minutes.`,
    '',
    `| operation | step | direction | request | ${faultNames.join(' | ')} |`,
    `|---|---|---|---|${'---|'.repeat(faultNames.length)}`,
    ...rows.map(([row, ofRow]) => `| ${row} | ${faultNames.map((fault) => cell(ofRow.find((one) => one.fault === fault))).join(' | ')} |`),
    ...(failed.length > 0 ? ['', '### What failed', '', ...failed.map(({ id, problems }) => `- \`${id}\`: ${problems.join('; ')}`)] : []),
    '',
  ].join('\n');
}

const cell = (result: CaseResult | undefined): string =>
  result ? `${result.passed ? '' : '✗ '}${result.outcome} ${(result.durationMs / 1_000).toFixed(0)} s` : '';
