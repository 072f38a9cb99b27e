/** Text that is HTML already. */
export interface Html {
  readonly html: string;
}

/** What a route answers people with. */
export interface WebPage {
  readonly html: string;
  /** The one style it has, as it stands in `html`: nothing else of the page is loaded or run. */
  readonly style: string;
  /** Whether it has forms, which it may send to this API only. */
  readonly hasForm?: boolean;
}

type Part = string | number | Html | readonly Html[];

/** A piece of a page. Whatever is put into it is escaped, unless it is a piece of a page itself. */
export const html = (pieces: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  html: pieces.reduce((text, piece, index) => text + textOf(parts[index - 1] ?? '') + piece),
});

function textOf(part: Part): string {
  if (typeof part === 'string' || typeof part === 'number') return escaped(String(part));
  return 'html' in part ? part.html : part.map((one) => one.html).join('');
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
