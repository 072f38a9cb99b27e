import { createAgentChanges } from '../../src/api/agent-changes';
import { DomainError } from '../../src/contracts/errors';

const agent = { tenantId: 'acme', agentName: 'support' };
const changed = () => new DomainError('agent/changed', 'Somebody else has changed the agent.');

/** Somebody else is always faster. */
function overtaken() {
  const attempts = { count: 0 };
  return { attempts, change: () => Promise.reject(((attempts.count += 1), changed())) };
}

it.each([undefined, '*'])('does a change again that another one overtook, where nobody said what it was to be made on: %s', async (ifMatch) => {
  const outcomes = [changed, changed];
  const change = () => {
    const outcome = outcomes.pop();
    return outcome ? Promise.reject(outcome()) : Promise.resolve('done');
  };
  expect(await createAgentChanges()(agent, ifMatch, change)).toBe('done');
});

it('says to come again when it is always overtaken', async () => {
  const { attempts, change } = overtaken();
  await expect(createAgentChanges({ patienceMs: 100 })(agent, undefined, change)).rejects.toMatchObject({ code: 'agent/busy' });
  expect(attempts.count).toBeGreaterThan(1);
});

it('makes a change on what was seen once, or not at all', async () => {
  const { attempts, change } = overtaken();
  await expect(createAgentChanges()(agent, '"3"', change)).rejects.toMatchObject({ code: 'agent/changed' });
  expect(attempts.count).toBe(1);
});

it('leaves other failures alone', async () => {
  const change = () => Promise.reject(new DomainError('agent/archived', 'It was archived.'));
  await expect(createAgentChanges()(agent, undefined, change)).rejects.toMatchObject({ code: 'agent/archived' });
});
