import { DomainError } from '../contracts/errors';
import type { AgentConfig } from '../contracts/tenant';
import { builtInTiers, type TierChanges, type TierDefinition, type Tiers } from '../contracts/tiers';
import { modelsOf } from './models';
import { matchesName } from './name-pattern';

/** The built-in tiers with an installation's own. */
export function tiersWith(changes: TierChanges): Tiers {
  const tiers: Record<string, TierDefinition> = { ...builtInTiers };
  for (const [name, change] of Object.entries(changes)) {
    const base = definitionOf(tiers, name);
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Partial<TierDefinition>;
    tiers[name] = { ...base, ...given, limits: { ...base.limits, ...given.limits } };
  }
  return tiers;
}

/** What a tenant of this tier may use. A tier that is no longer configured counts as `standard`. */
export const definitionOf = (tiers: Tiers, name: string): TierDefinition => (Object.hasOwn(tiers, name) ? tiers[name] : undefined) ?? tiers['standard'] ?? builtInTiers.standard;

/** @throws DomainError `tier/unknown`, which names those there are. */
export function mustKnowTier(tiers: Tiers, name: string): void {
  if (!Object.hasOwn(tiers, name)) throw new DomainError('tier/unknown', `There is no tier ${name}. There are: ${Object.keys(tiers).join(', ')}.`);
}

/** @throws DomainError `tier/not-allowed`, which names all that the tier does not allow. */
export function mustAllow(tiers: Tiers, name: string, agent: AgentConfig): void {
  const refusals = refusalsOf(definitionOf(tiers, name), agent);
  if (refusals.length > 0) throw new DomainError('tier/not-allowed', `Tier ${name} does not allow ${refusals.join('; ')}.`);
}

/** What of an agent its tier does not allow, in words; empty when all is well. */
export function refusalsOf({ models, tools, limits }: TierDefinition, agent: AgentConfig): string[] {
  const allowedTools = toolsAmong({ tools }, agent.tools);
  const refusedTools = agent.tools.filter((tool) => !allowedTools.includes(tool));
  return [
    ...modelsOf(agent).flatMap((model) => (isAmong(models, model) ? [] : [`model ${model} (allowed: ${models.join(', ')})`])),
    ...(refusedTools.length === 0 ? [] : [`tools ${refusedTools.join(', ')} (allowed: ${tools.join(', ')})`]),
    ...limitNames(limits).flatMap((name) => (agent[name] > limits[name] ? [`${name} ${agent[name]} (at most ${limits[name]})`] : [])),
  ];
}

/** Those of these tools that a tier allows. */
export const toolsAmong = ({ tools }: Pick<TierDefinition, 'tools'>, names: readonly string[]): string[] => names.filter((tool) => isAmong(tools, tool));

const limitNames = (limits: TierDefinition['limits']) => Object.keys(limits) as (keyof TierDefinition['limits'])[];

const isAmong = (allowed: readonly string[], name: string): boolean =>
  allowed.some((pattern) => matchesName(pattern, name));

/** What one user may have of so many: at least one, as parts are rounded up. */
export const shareOf = ({ userShare }: Pick<TierDefinition, 'userShare'>, all: number): number => Math.ceil(all * userShare);

/** Of what there is only so much at once. */
type Counted = 'streams' | 'turns' | 'sessions';

/** How many there may be at once: of the tenant, and of one of its users. */
export const placeLimits = (tier: Pick<TierDefinition, 'userShare' | Counted>, thing: Counted) => ({ all: tier[thing], share: shareOf(tier, tier[thing]) });

const inWords: Readonly<Record<Counted, string>> = { streams: 'streams open at once', turns: 'turns under way at once', sessions: 'sessions at work within a quarter of an hour' };

/** What whoever finds no place is told. @param bound - whose places are taken: the tenant's, or the user's. */
export const noPlace = (thing: Counted, limit: number, bound: 'all' | 'share'): string => `${bound === 'all' ? 'This tenant' : 'One user'} may have ${limit} ${inWords[thing]}.`;

/** How long a place is held that nobody renews. A turn that lasts longer is not counted any more: so is one whose end got lost. */
export const placeHeldMs: Readonly<Record<Counted, number>> = { streams: 30_000, turns: 900_000, sessions: 900_000 };
