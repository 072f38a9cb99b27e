import type { SessionEvent } from '../contracts/events';
import type { UsagePeriod } from '../contracts/names';
import type { UsageCell, UsageFigures, UsageGrouping, UsageLine } from '../contracts/usage';

const lengthOf: Readonly<Record<UsagePeriod, number>> = { hour: '2026-11-24T13'.length, day: '2026-11-24'.length };

/** The hour or day an ISO time in UTC lies in. */
export const periodOf = (period: UsagePeriod, at: string): string => at.slice(0, lengthOf[period]);

/** As a time in ISO 8601, UTC. */
export const beginningOf = (period: string): string => new Date(period.length === lengthOf.day ? `${period}T00:00:00Z` : `${period}:00:00Z`).toISOString();

const always = ['inputTokens', 'outputTokens', 'modelCalls'] as const;
const sometimes = ['cacheReadTokens', 'cacheWriteTokens', 'costMicroUsd', 'unpricedCalls', 'wastedCalls', 'wastedTokens', 'wastedMicroUsd', 'compactionCalls', 'compactionTokens', 'compactionMicroUsd', 'extractionCalls', 'extractionTokens', 'extractionMicroUsd'] as const;
/** All figures there are. */
export const usageFigures = [...always, ...sometimes] as const;

export function sumOf(all: readonly UsageFigures[]): UsageFigures {
  const total = (name: (typeof usageFigures)[number]) => all.reduce((sum, figures) => sum + (figures[name] ?? 0), 0);
  return {
    ...{ inputTokens: total('inputTokens'), outputTokens: total('outputTokens'), modelCalls: total('modelCalls') },
    ...Object.fromEntries(sometimes.flatMap((name) => (total(name) > 0 ? [[name, total(name)]] : []))),
  };
}

type UsageEvent = Extract<SessionEvent, { type: 'usage.recorded' | 'usage.wasted' }>;

const tellsOfUsage = (event: SessionEvent): event is UsageEvent => event.type === 'usage.recorded' || event.type === 'usage.wasted';

function figuresOf({ type, usage, costMicroUsd, purpose }: UsageEvent): UsageFigures {
  const { inputTokens, outputTokens, cacheReadTokens = 0, cacheWriteTokens = 0 } = usage;
  const tokens = inputTokens + outputTokens + cacheReadTokens + cacheWriteTokens;
  const ofPurpose = purpose && { [`${purpose}Calls`]: 1, [`${purpose}Tokens`]: tokens, ...(costMicroUsd && { [`${purpose}MicroUsd`]: costMicroUsd }) };
  if (type === 'usage.recorded') return { ...usage, modelCalls: 1, ...(costMicroUsd === undefined && { unpricedCalls: 1 }), ...(costMicroUsd && { costMicroUsd }), ...ofPurpose };
  return { inputTokens: 0, outputTokens: 0, modelCalls: 0, wastedCalls: 1, wastedTokens: tokens, ...(costMicroUsd && { wastedMicroUsd: costMicroUsd }) };
}

/** Adds up the cells of which `keyOf` says the same. */
function added<Item extends UsageFigures>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  const groups = new Map<string, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups.values()].flatMap((group) => (group[0] ? [{ ...group[0], ...sumOf(group) }] : []));
}

/** What events of one user's session used, for each hour or day and model. */
export const usageIn = (events: readonly SessionEvent[], userId: string, period: UsagePeriod): UsageCell[] =>
  added(
    events.flatMap((event): UsageCell[] =>
      tellsOfUsage(event) ? [{ period: periodOf(period, event.at), userId, modelId: event.modelId, ...(event.agent !== undefined && { agent: event.agent }), ...figuresOf(event) }] : [],
    ),
    ({ period: at, modelId, agent = '' }) => `${at} ${modelId} ${agent}`,
  );

/**
 * The events from the first on that one write can count: no more than `maxCells` cells come of them.
 * @returns at least one event, when there is one.
 */
export function countable(events: readonly SessionEvent[], maxCells: number): SessionEvent[] {
  const cells = new Set<string>();
  const end = events.findIndex((event) => {
    if (tellsOfUsage(event)) cells.add(`${periodOf('hour', event.at)} ${event.modelId} ${event.agent ?? ''}`);
    return cells.size > maxCells;
  });
  return end === -1 ? [...events] : events.slice(0, end);
}

/** Which items answer: hours when the question is finer than whole days. Times are ISO 8601, UTC. */
export const periodFor = (by: readonly UsageGrouping[], ...times: readonly string[]): UsagePeriod =>
  by.includes('hour') || times.some((at) => Date.parse(at) % 86_400_000 !== 0) ? 'hour' : 'day';

/** The cells as lines, added up over all that is not asked for; in order. */
export function groupUsage(cells: readonly UsageCell[], by: readonly UsageGrouping[]): UsageLine[] {
  const lines = cells.map(({ period, userId, modelId, agent = tenantsOwnAgent, ...figures }): UsageLine => {
    const time = by.includes('hour') ? period : by.includes('day') ? periodOf('day', period) : undefined;
    return {
      ...(time !== undefined && { from: beginningOf(time) }),
      ...(by.includes('model') && { modelId }),
      ...(by.includes('user') && { userId }),
      ...(by.includes('agent') && { agent }),
      ...figures,
    };
  });
  const keyOf = ({ from = '', modelId = '', userId = '', agent = '' }: UsageLine) => `${from} ${modelId} ${userId} ${agent}`;
  return added(lines, keyOf).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** What figures call the agent that a tenant has without naming one. */
export const tenantsOwnAgent = 'default';
