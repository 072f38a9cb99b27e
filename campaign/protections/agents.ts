import { of } from './protection';

const agents = 'test/api/agents-are-not-trusted.test.ts';
const calls = 'test/domain/requested-calls.test.ts';
const egress = 'test/adapters/http/egress.test.ts';
const rules = 'src/adapters/http/egress-rules.ts';
const caller = 'src/adapters/http/http-caller.ts';
const requested = 'src/domain/requested-calls.ts';
const useTool = 'src/activities/session/use-tool.ts';
const think = 'src/activities/session/think.ts';
const askModel = 'src/activities/session/ask-model.ts';
const closed = 'closed addresses';
const sound = 'depth, length, names and ids of calls';

/** "Agents are not trusted". */
export const ofAgents = [
  ...of(
    'tier and list decide when a tool is used',
    agents,
    { id: 'tier-when-used', file: useTool, search: 'const { agent, toolbox } = await equip(deps, input);', replace: "const { toolbox } = await equip(deps, input);\n  const { agent } = await (await import('./agent')).agentOf(deps, input);", name: 'refuses a tool that is not in the tier' },
    { id: 'list-when-used', file: useTool, search: 'agent.tools.includes(call.tool) ? toolbox.find(call.tool) : undefined', replace: 'toolbox.find(call.tool)', name: "refuses a tool that is not in the agent's list" },
  ),
  ...of("the model is offered its tier's tools alone", agents, { id: 'tier-when-offered', file: think, search: 'equip(deps, input), mustKnowTheLog', replace: "equip(deps, input).then(async (found) => ({ ...found, agent: (await (await import('./agent')).agentOf(deps, input)).agent })), mustKnowTheLog", name: 'offers the model the tools of its tier' }),
  ...of('tenant and user from the session', agents, { id: 'owner-from-the-session', file: useTool, search: 'owner: { tenantId, userId },', replace: 'owner: (toolInput as { owner?: { tenantId: string; userId: string } }).owner ?? { tenantId, userId },', name: 'takes tenant and user from the session' }),
  ...of('the rule for tool output', agents, { id: 'rule-for-tool-output', file: askModel, search: 'withToolOutputRule(agent.systemPrompt, agent.tools)', replace: 'agent.systemPrompt', name: 'shows the model what tools returned' }),
  ...of("a question is answered by the session's user", 'test/api/questions.test.ts', { id: 'answer-of-the-user', file: 'src/api/routes/questions.ts', search: '      await deps.conversations.mustOwn(session, caller);\n', replace: '', name: 'is its own user’s to answer' }),
  ...of("an answer's length", agents, { id: 'length-of-an-answer', file: askModel, search: 'const most = mostCharacters(request)', replace: 'const most = 100 * mostCharacters(request)', name: 'ends a turn whose model does not stop talking' }),
  ...of(sound, agents, { id: 'calls-nobody-can-do', file: requested, search: 'isKept ? input : shortenedTo(rawInput, shownCharacters)', replace: 'isKept ? input : rawInput', name: 'keeps a conversation going' }),
  ...of(
    sound,
    calls,
    { id: 'depth-of-an-input', file: requested, search: 'if (depth > levels) return true;', replace: 'if (depth > 1_000 * levels) return true;', name: 'refuses what is nested too deep' },
    { id: 'length-of-an-input', file: requested, search: 'if (rawInput.length > maxInputCharacters) return', replace: 'if (rawInput.length < 0) return', name: 'refuses what is too long' },
    { id: 'length-of-a-step', file: requested, search: "characters > maxStepInputCharacters ? 'The inputs of this step are too long.' : ", replace: '', name: 'refuses what is too long' },
    { id: 'names-of-calls', file: requested, search: 'name: nameOrId.test(name) ? name : noName', replace: 'name: noName.length > 0 ? name : noName', name: 'gives a name that Converse refuses' },
    { id: 'ids-of-calls', file: requested, search: 'nameOrId.test(callId) && !used.has(callId)', replace: "callId !== ''", name: 'gives each call an id of its own' },
  ),
  ...of(
    closed,
    egress,
    { id: 'closed-v4', file: rules, search: "'127.0.0.0/8', '172.16.0.0/12', ", replace: '', name: 'addresses closes' },
    { id: 'closed-v6', file: rules, search: "const publicV6 = ['2000::/3'];", replace: "const publicV6 = ['::/0'];", name: 'addresses closes' },
    { id: 'closed-tunnels', file: rules, search: "'2001::/23', '2001:db8::/32', '2002::/16', ", replace: '', name: 'addresses closes' },
    { id: 'closed-machine', file: caller, search: '!addresses.every((address) => rules.allows(address))', replace: 'addresses.every((address) => address === "")', name: 'reaches nothing of this machine' },
  ),
  ...of('metadata stays closed', egress, { id: 'metadata', file: rules, search: 'if (isIn(never)) return false;', replace: '', name: 'metadata addresses for nobody' }),
  ...of('every address of a name', egress, { id: 'every-address', file: caller, search: '!addresses.every((address)', replace: '!addresses.some((address)', name: 'refuses a name when one of its addresses is closed' }),
  ...of('the pinned address', egress, { id: 'pinned-address', file: caller, search: ' lookup: pinned,', replace: " lookup: (hostname, options, done) => void (pinned.length > 0 && resolveAll(hostname).then(([address = '']) => (options.all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4)), (error: NodeJS.ErrnoException) => done(error, ''))),", name: 'connects to the address it checked', says: /gave no answer/ }),
  ...of(
    'user in the address, dot at the end',
    egress,
    { id: 'user-in-the-address', file: caller, search: "if (username !== '' || password !== '') throw", replace: "if (username === 'nobody' && password === '') throw", name: 'refuses a user in the address' },
    { id: 'dot-at-the-end', file: caller, search: "if (hostname.endsWith('.')) throw", replace: "if (hostname === '.') throw", name: 'refuses a user in the address' },
  ),
  ...of('no redirects', egress, { id: 'no-redirects', file: caller, search: '      mustNotBePacked(response, target);', replace: '      const next = response.headers.location === undefined ? undefined : new URL(response.headers.location);\n      if (next) return await send(next, await addressesOf(next, signal), request, signal);\n      mustNotBePacked(response, target);', name: 'leaves a redirect to whoever reads the answer', says: /is not on the public internet/ }),
  ...of(
    'nothing unpacked; size; time',
    egress,
    { id: 'nothing-unpacked', file: caller, search: '      mustNotBePacked(response, target);\n', replace: '', name: 'unpacks nothing' },
    { id: 'size-of-an-answer', file: caller, search: 'if (bytes > maxBytes) break;', replace: 'if (bytes > 100_000 * maxBytes) break;', name: 'takes the first bytes of an answer without end' },
    { id: 'time-of-a-call', file: caller, search: 'endingWith([request.signal], request.timeoutMs)', replace: 'endingWith([request.signal], 100 * request.timeoutMs)', name: 'gives up in time on a target that never answers', says: /expect\(|Exceeded timeout/ },
  ),
];
