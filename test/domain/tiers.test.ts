import { loadConfig } from '../../src/config';
import { AgentConfig } from '../../src/contracts/tenant';
import { builtInTiers, TierChanges } from '../../src/contracts/tiers';
import { definitionOf, mustAllow, mustKnowTier, refusalsOf, tiersWith } from '../../src/domain/tiers';

const tiers = tiersWith(
  TierChanges.parse({
    premium: { activitySlots: 7 },
    gold: { models: ['anthropic.claude-*'], tools: ['calculator', 'current_time'], limits: { maxOutputTokens: 2_000 } },
  }),
);

describe('tiers by configuration', () => {
  it('change what they name and keep the rest; new ones are as standard', () => {
    expect(definitionOf(tiers, 'premium')).toEqual({ ...builtInTiers.premium, activitySlots: 7 });
    expect(definitionOf(tiers, 'gold')).toMatchObject({ rate: builtInTiers.standard.rate, limits: { ...builtInTiers.standard.limits, maxOutputTokens: 2_000 } });
    expect(definitionOf(tiers, 'standard')).toEqual(builtInTiers.standard);
  });

  it('count as standard when they are no longer configured', () => {
    expect(definitionOf(tiers, 'gone')).toEqual(builtInTiers.standard);
    expect(() => mustKnowTier(tiers, 'gone')).toThrow('There are: standard, premium, gold');
    expect(() => mustKnowTier(tiers, 'toString')).toThrow('There is no tier');
  });

  it('are read at start-up, and all that is wrong is said', () => {
    expect(Object.keys(loadConfig({ TIERS: '{"gold":{"activitySlots":3}}' }).tiers)).toEqual(['standard', 'premium', 'gold']);
    expect(() => loadConfig({ TIERS: '{gold' })).toThrow('it is not JSON');
    const wrong = () => loadConfig({ TIERS: JSON.stringify({ Gold: {}, silver: { activitySlots: 0, colour: 'red', limits: { maxTurnSeconds: 1 } } }) });
    for (const part of ['Gold', 'activitySlots', 'colour', 'maxTurnSeconds']) expect(wrong).toThrow(part);
  });
});

describe('what a tier allows', () => {
  const gold = definitionOf(tiers, 'gold');
  const fitting = AgentConfig.parse({ tools: ['calculator'], maxOutputTokens: 2_000 });

  it('is within its lists and up to its limits', () => {
    expect(refusalsOf(gold, fitting)).toEqual([]);
    expect(refusalsOf(builtInTiers.standard, AgentConfig.parse({}))).toEqual([]);
    expect(() => mustAllow(tiers, 'gold', fitting)).not.toThrow();
  });

  it('is told with every reason when it is exceeded', () => {
    const agent = AgentConfig.parse({ modelId: 'meta.llama', tools: ['calculator', 'http_request'], maxOutputTokens: 2_001, maxTurnSeconds: 3_601 });
    expect(refusalsOf(gold, agent)).toEqual([
      'model meta.llama (allowed: anthropic.claude-*)',
      'tools http_request (allowed: calculator, current_time)',
      'maxOutputTokens 2001 (at most 2000)',
      'maxTurnSeconds 3601 (at most 3600)',
    ]);
    expect(refusalsOf(gold, { ...fitting, fallbackModels: ['anthropic.claude-3', 'us.anthropic.claude-3'] })).toEqual(['model us.anthropic.claude-3 (allowed: anthropic.claude-*)']);
    expect(() => mustAllow(tiers, 'gold', agent)).toThrow('Tier gold does not allow model meta.llama');
  });
});
