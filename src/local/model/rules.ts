import { answerFromFacts, asksForFacts, extractedFacts, withoutFacts } from './facts';
import { attachedIn, type ConverseRequest, type Message, type Reply, textOf, toolResultsOf, toolSpecsOf, type WantedCall } from './protocol';

/**
 * A small assistant that follows rules instead of a model: enough to try every part of the platform, and the same answer
 * to the same question each time.
 */
export function replyByRules({ messages: shown, system, toolConfig }: ConverseRequest): Reply {
  const messages = shown.map(withoutFacts);
  const last = messages.at(-1);
  if (asksForFacts(system?.[0]?.text ?? '')) return say(extractedFacts(textOf(last)));
  if (/^You summarise a conversation/.test(system?.[0]?.text ?? '')) return say(summaryOf(textOf(last)));
  const offered = new Set(toolSpecsOf({ toolConfig }).map(({ name }) => name));
  // Results with words behind them: the user has said something new meanwhile.
  if (toolResultsOf(last).length > 0 && textOf(last) === '') return say(answerFrom(messages));
  if (/\b(attach(ed|ments?)?|image|picture|photo|document|file)\b/i.test(textOf(last)) && attachedIn(messages).length > 0) return say(descriptionOf(messages));
  const remembered = answerFromFacts(shown.at(-1), textOf(last));
  if (remembered !== undefined) return say(remembered);
  const calls = taskIn(textOf(last), offered) ?? ((offered.has('ask_user') && questionsIn(textOf(last))) || wishes(textOf(last)).filter(({ name }) => offered.has(name)));
  if (calls.length > 0) return { text: '', calls, stopReason: 'tool_use' };
  return say(smallTalk(textOf(last), [...offered]));
}

const say = (text: string): Reply => ({ text, calls: [], stopReason: 'end_turn' });

/** What proves that the bytes have come. */
const descriptionOf = (messages: readonly Message[]): string =>
  attachedIn(messages)
    .map(({ kind, format, size, sha256, beginning }) => `I see ${kind === 'image' ? 'an image' : 'a document'}: ${format}, ${size} bytes, sha256 ${sha256.slice(0, 16)}${textFormats.includes(format) ? `; it begins "${firstWords(beginning)}"` : ''}.`)
    .join(' ');

const textFormats: readonly string[] = ['csv', 'html', 'txt', 'md'];
const firstWords = (text: string): string => text.split(/\s+/).filter((word) => word !== '').slice(0, 8).join(' ');

/** What was summarised before, and the beginning of all that the user said. */
function summaryOf(conversation: string): string {
  const before = /^\[Summary of what was before]\n([^]*?)(?=\n\n\[|$)/.exec(conversation)?.[1];
  const said = [...conversation.matchAll(/^\[User]\n(.{1,80})/gm)].map(([, text]) => text);
  return [...(before === undefined ? [] : [before]), `The user said: ${said.join('; ')}.`].join('\n');
}

/** "Ask me which colour I want [red, green]": each a question, with what there is to choose from; after "any of" several may be chosen. */
function questionsIn(text: string): WantedCall[] | undefined {
  const calls = [...text.matchAll(/\bask me\s+([^[\]?.!;\n]+)\??\s*(?:\[(any of )?([^\]\n]*)\])?/gi)].map(([, question = '', any, options]): WantedCall => {
    const choice = options === undefined ? {} : { options: options.split(',').map((option) => option.trim()), ...(any !== undefined && { multiple: true }) };
    return { name: 'ask_user', input: { question: `${question.trim()}?`, ...choice } };
  });
  return calls.length > 0 ? calls : undefined;
}

/** "Ask research: what is 6*7?": a task for another agent, by the name of its tool. */
function taskIn(text: string, offered: ReadonlySet<string>): WantedCall[] | undefined {
  const [, name = '', task = ''] = /\bask ([a-z][a-z0-9_-]*):\s*(\S.*)/is.exec(text) ?? [];
  return offered.has(name) ? [{ name, input: { task } }] : undefined;
}

/** The tools a question calls for; several when it asks several things. */
function wishes(text: string): WantedCall[] {
  const url = /(https?:\/\/[^\s"'<>]+[^\s"'<>.,!?])/i.exec(text)?.[1];
  if (url !== undefined) {
    const isOrder = /\border\b|\bPOST\b/i.test(text);
    return [{ name: 'http_request', input: isOrder ? { method: 'POST', url, body: { request: text } } : { method: 'GET', url } }];
  }
  const fact = /\b(?:store|remember|save|note)(?: that)?(?: my)?(?: preference)?s?\s*:?\s+(.+)$/is.exec(text)?.[1];
  if (fact !== undefined && !text.trim().endsWith('?')) return [{ name: 'remember', input: { fact: fact.trim() } }];
  const calls: WantedCall[] = [];
  const own = /\bmy\b(.*)/is.exec(text)?.[1] ?? '';
  if (/\b(preferences?|favou?rite|name|colou?r)\b/i.test(own) || /\bdo you (know|remember)\b/i.test(text)) calls.push({ name: 'recall', input: { query: text.trim() } });
  if (/\b(what time|the time|date today|what day)\b/i.test(text)) calls.push({ name: 'current_time', input: zoneIn(text) });
  const expression = expressionIn(text);
  if (expression !== undefined) calls.push({ name: 'calculator', input: { expression } });
  return calls;
}

const zoneIn = (text: string): { timeZone?: string } => {
  const zone = /\b([A-Z][A-Za-z]+\/[A-Z][A-Za-z_]+)\b/.exec(text)?.[1];
  return zone === undefined ? {} : { timeZone: zone };
};

/**
 * The first sum. Looks at each run of what sums are made of once: a pattern that knew the grammar of sums would try a long text
 * again from every digit.
 */
const expressionIn = (text: string): string | undefined =>
  (text.match(/[\d\s().+*/^%-]+/g) ?? []).flatMap((run) => /^[^\d(]*([\d(].*[\d)])/s.exec(run)?.[1] ?? []).find(isSum);

const isSum = (text: string): boolean => /[\d)][-+*/^%][\d(.-]/.test(text.replaceAll(/\s/g, ''));

/** Puts the results of the last step into words. */
function answerFrom(messages: readonly Message[]): string {
  const calls = new Map(messages.at(-2)?.content.flatMap(({ toolUse }) => (toolUse ? [[toolUse.toolUseId, toolUse.name] as const] : [])));
  return toolResultsOf(messages.at(-1))
    .map(({ toolUseId, content, status }) => {
      const output = (content[0]?.json ?? content[0]?.text ?? {}) as Record<string, unknown>;
      const name = calls.get(toolUseId) ?? '';
      return status === 'error' ? `I could not use ${name}: ${typeof output['error'] === 'string' ? output['error'] : JSON.stringify(output)}` : sentence(name, output);
    })
    .join(' ');
}

function sentence(tool: string, output: Record<string, unknown>): string {
  switch (tool) {
    case 'remember':
      return `Done. I will remember this for you: ${String(output['remembered'])}.`;
    case 'recall': {
      const facts = (output['facts'] as { fact: string }[] | undefined) ?? [];
      return facts.length === 0 ? 'I do not know that: you have not told me yet.' : `This is what you told me: ${facts.map(({ fact }) => fact).join('; ')}.`;
    }
    case 'current_time':
      return `It is ${String(output['local'])}.`;
    case 'calculator':
      return `${String(output['expression'])} is ${String(output['result'])}.`;
    case 'ask_user':
      return `You said: ${[output['answer']].flat().map(String).join(', ')}.`;
    case 'http_request':
      return `The address answered ${String(output['status'])}: ${String(output['body'])}`;
    default:
      return typeof output['answer'] === 'string' ? `${tool} answers: ${output['answer']}` : `${tool} says: ${JSON.stringify(output)}`;
  }
}

const smallTalk = (text: string, tools: readonly string[]): string =>
  /\bone word\b/i.test(text)
    ? 'Ready.'
    : `I am the local model: I follow simple rules. ${tools.length > 0 ? `I can use ${tools.join(', ')}. ` : ''}Try "Store my preference: color=blue", or "What is 17*23?".`;
