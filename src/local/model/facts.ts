import type { Message } from './protocol';

/** How Tenure begins what it shows of a user's facts, and how it asks for new ones. */
const recalledHeading = '(Remembered about this user';
const extractionBeginning = /^You note lasting facts about a user/;

export const asksForFacts = (system: string): boolean => extractionBeginning.test(system);

/** A message without the block of facts before it. */
export const withoutFacts = (message: Message): Message => ({ ...message, content: message.content.filter(({ text = '' }) => !text.startsWith(recalledHeading)) });

/** Facts that are shown with a message, best match first. */
const factsWith = (message: Message | undefined): string[] =>
  (message?.content ?? []).flatMap(({ text = '' }) => (text.startsWith(recalledHeading) ? (JSON.parse(text.slice(text.indexOf('\n'))) as { fact: string }[]).map(({ fact }) => fact) : []));

/** "What am I allergic to?" is answered from what is remembered, if any of it has a longer word of the question. */
export function answerFromFacts(message: Message | undefined, question: string): string | undefined {
  if (!question.trim().endsWith('?')) return undefined;
  const asked = new Set(longerWords(question));
  const fitting = factsWith(message).filter((fact) => longerWords(fact).some((word) => asked.has(word)));
  return fitting.length === 0 ? undefined : `From what I remember: ${fitting.join(' ')}`;
}

const longerWords = (text: string): string[] => (text.toLowerCase().match(/[\p{L}\p{N}]{4,}/gu) ?? []).filter((word) => !commonWords.has(word));
const commonWords: ReadonlySet<string> = new Set(['what', 'which', 'when', 'where', 'that', 'this', 'user', 'about', 'know', 'from', 'with', 'have', 'does', 'your']);

/** What the user says of themselves, in the third person: "I am allergic to nuts." as "The user is allergic to nuts." */
export function extractedFacts(request: string): string {
  const { said, known } = JSON.parse(request) as { said: string[]; known: string[] };
  const facts = said.flatMap((text) => text.split(/(?<=[.!?])\s+|\n+/).flatMap((sentence) => factIn(sentence.trim()) ?? []));
  return JSON.stringify(facts.filter((fact) => !known.includes(fact)).slice(0, 5));
}

function factIn(sentence: string): string | undefined {
  if (sentence.endsWith('?')) return undefined;
  const rest = sentence.replace(/[.!]+$/, '');
  const own = /\bmy ([a-z][a-z ]{1,40}) is (.{1,200})$/i.exec(rest);
  if (own) return `The user's ${own[1]?.toLowerCase()} is ${own[2]}.`;
  const said = /\bI(?:'m| (am|live|work|like|love|hate|prefer|have|need|speak)) (.{1,200})$/.exec(rest);
  return said ? `The user ${thirdPerson(said[1] ?? 'am')} ${said[2]}.` : undefined;
}

const thirdPerson = (verb: string): string => ({ am: 'is', have: 'has' })[verb] ?? `${verb}s`;
