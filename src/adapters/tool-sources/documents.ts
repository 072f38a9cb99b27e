import $RefParser from '@apidevtools/json-schema-ref-parser';
import { parse } from 'yaml';
import { DomainError } from '../../contracts/errors';
import { maxDocumentCharacters } from '../../contracts/tool-source';

const timeoutMs = 5_000;

/**
 * Reads JSON or YAML, and puts what its references lead to in their place. Nothing is fetched: a reference to elsewhere stays one.
 * @returns it may contain itself.
 * @throws DomainError `tool-source/invalid`
 */
export async function readDocument(text: string): Promise<unknown> {
  if (text.length > maxDocumentCharacters) throw invalid(`The document is longer than ${maxDocumentCharacters} characters.`);
  return resolved(parsed(text));
}

/** The same of a schema or document that is there already. */
export async function resolved(document: unknown): Promise<unknown> {
  if (typeof document !== 'object' || document === null) throw invalid('The document is no object.');
  try {
    return await $RefParser.dereference(structuredClone(document), { resolve: { external: false, file: false, http: false }, dereference: { circular: true }, timeoutMs });
  } catch (error) {
    throw invalid('A reference of the document leads nowhere, or the document is too deep.', error);
  }
}

/** YAML takes JSON, too, but more slowly. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    try {
      // Aliases of aliases can become gigabytes: the library counts them.
      return parse(text, { maxAliasCount: 100, merge: false, logLevel: 'error' });
    } catch (error) {
      throw invalid('The document is neither JSON nor YAML.', error);
    }
  }
}

export const invalid = (message: string, cause?: unknown): DomainError => new DomainError('tool-source/invalid', message, { cause });
