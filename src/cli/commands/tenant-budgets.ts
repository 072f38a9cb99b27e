import { InvalidArgumentError } from 'commander';
import { type BudgetCounter, type BudgetLevel, budgetLevels, Budgets, type BudgetUnit, budgetUnits } from '../../contracts/budget';
import { committed } from '../../domain/budgets';
import { type Access, apiPath, withQuery } from '../access';
import { ApiProblem } from '../api-client';
import { collect, command } from '../command';
import { CliFailure, exitCodes } from '../failures';
import { patiently } from '../patience';
import type { Column } from '../terminal/table';

interface BudgetOptions {
  readonly set?: readonly string[];
  readonly none?: true;
  readonly user?: string;
  readonly session?: string;
}

interface Report {
  readonly revision: number;
  readonly operator: Budgets;
  readonly inForce: Budgets;
  readonly spent: Partial<Record<BudgetLevel, BudgetCounter>>;
}

interface Line {
  readonly level: BudgetLevel;
  readonly unit: BudgetUnit;
  readonly limit: number | undefined;
  readonly counter: BudgetCounter | undefined;
}

const columns: readonly Column<Line>[] = [
  { title: 'budget', of: ({ level, unit }) => `${level}.${unit}` },
  { title: 'limit', of: ({ limit }) => limit },
  { title: 'left', of: ({ limit, counter, unit }) => (limit === undefined || !counter ? undefined : Math.max(0, limit - committed(counter)[unit])) },
  { title: 'settled', of: ({ counter, unit }) => counter?.settled[unit] },
  { title: 'wasted', of: ({ counter, unit }) => counter?.wasted[unit] },
  { title: 'lost', of: ({ counter, unit }) => counter?.lost[unit] },
  { title: 'reserved', of: ({ counter, unit }) => counter?.reserved[unit] },
];

/** `tenantDay.microUsd=5000000`, `session.tokens=none`, `onExhausted=end`. */
export function withSetting(budgets: Budgets, text: string): Budgets {
  const [, name, unit, value] = /^(\w+)(?:\.(\w+))?=(\w+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It is level.unit=number, such as tenantDay.tokens=100000.');
  const changed = value === 'none' ? undefined : /^\d+$/.test(value) ? Number(value) : value;
  const given = budgets as Readonly<Record<string, unknown>>;
  const parsed = Budgets.safeParse({ ...given, [name]: unit === undefined ? changed : { ...(given[name] as object | undefined), [unit]: changed } });
  if (!parsed.success)
    throw new CliFailure(exitCodes.usage, `There is no budget ${text}.`, `Levels: ${budgetLevels.join(', ')}; units: ${budgetUnits.join(', ')}; also onExhausted=pause|end, longestPauseSeconds=number`);
  return parsed.data;
}

/** What is no budget is said before anything is asked. */
function collectSetting(text: string, before: unknown): string[] {
  withSetting({}, text);
  return collect(text, before);
}

export const budgetsCommand = command<BudgetOptions>({
  usage: 'budgets <tenantId>',
  summary: 'show what a tenant may spend and has spent, or change it: turns that wait go on',
  options: [
    { flags: '--set <level.unit=number>', description: 'set this limit, keep the others; may be repeated; none takes it away', parse: collectSetting },
    { flags: '--none', description: 'take away all that operators have set: the tier decides' },
    { flags: '--user <userId>', description: "show this user's day, too" },
    { flags: '--session <sessionId>', description: 'show this session, too' },
  ],
  examples: ['tenure tenant budgets acme', 'tenure tenant budgets acme --set tenantDay.microUsd=5000000 --set session.tokens=200000'],
  async run(cli, { set = [], none, user, session }, tenantId: string) {
    const operator = await cli.operator();
    const path = apiPath`/tenants/${tenantId}/budgets`;
    if (none) await operator.call(path, { method: 'PUT', body: set.reduce(withSetting, {}) });
    else if (set.length > 0) await patiently(() => change(operator, path, (budgets) => set.reduce(withSetting, budgets)), { mayPass: isChanged });
    const report = await operator.call<Report>(withQuery(path, { userId: user, sessionId: session }));
    cli.out.result(report, () => {
      const lines = linesOf(report);
      return lines.length === 0 ? 'No budget is set: nothing limits what it spends.' : cli.out.table(lines, columns);
    });
  },
});

/** On top of what is seen, so that nothing is lost of what another operator sets at the same time. @throws ApiProblem `budget/changed` when one did */
async function change(operator: Access, path: string, changed: (budgets: Budgets) => Budgets): Promise<void> {
  const { revision, operator: budgets } = await operator.call<Report>(path);
  await operator.call(path, { method: 'PUT', body: changed(budgets), headers: { 'if-match': `"${revision}"` } });
}

const isChanged = (error: unknown): boolean => error instanceof ApiProblem && error.code === 'budget/changed';

const linesOf = ({ inForce, spent }: Report): Line[] =>
  budgetLevels.flatMap((level) => budgetUnits.flatMap((unit) => (inForce[level]?.[unit] === undefined ? [] : [{ level, unit, limit: inForce[level][unit], counter: spent[level] }])));
