import { DomainError } from '../../contracts/errors';
import { maxDocumentCharacters, maxListingCharacters, type ToolListing } from '../../contracts/tool-source';
import { problemWithDocument, toolsOfDocument } from '../../domain/openapi-tools';
import { problemWithUndo } from '../../domain/source-undo';
import { withCredential } from '../../domain/source-credential';
import type { HttpCaller } from '../../ports/http-caller';
import type { McpServers, SourceAccess, ToolLister } from '../../ports/tool-sources';
import { invalid, readDocument } from './documents';

const timeoutMs = 15_000;

/** Reads what a source says it can do, and makes tools of it. */
export function createToolLister({ http, mcp }: { http: HttpCaller; mcp: McpServers }): ToolLister {
  async function fetched(access: SourceAccess, url: string, signal: AbortSignal): Promise<string> {
    const { headers, url: target } = withCredential(access, url, { accept: 'application/json, application/yaml, text/*' });
    const answer = await http.call({ method: 'GET', url: target, headers, timeoutMs, maxResponseBytes: maxDocumentCharacters + 1, signal });
    if (answer.status !== 200) throw unreachable(`${new URL(url).origin} answered ${answer.status} where the document should be.`);
    return answer.body;
  }

  async function openApi(access: SourceAccess & { readonly settings: { readonly kind: 'openapi'; readonly url?: string | undefined; readonly server?: string | undefined } }, document: string | undefined, signal: AbortSignal) {
    const { url, server } = access.settings;
    if (document === undefined && url === undefined) throw invalid('Send the document along, or say at which url it is.');
    const read = await readDocument(document ?? (await fetched(access, url ?? '', signal)));
    const problem = problemWithDocument(read);
    if (problem !== undefined) throw invalid(problem);
    return toolsOfDocument(read, { source: access.name, server, from: url });
  }

  return {
    async list(access, document, signal) {
      const { settings } = access;
      const listing = await (settings.kind === 'openapi' ? openApi({ ...access, settings }, document, signal) : mcp.list({ ...access, settings }, signal)).catch((error: unknown) => {
        if (error instanceof DomainError && ['tool/unreachable', 'tool/busy', 'tool/failed'].includes(error.code)) throw unreachable(error.message, error);
        if (error instanceof DomainError && error.code === 'tool/bad-output') throw invalid(error.message);
        throw error;
      });
      mustFit(access, listing);
      return listing;
    },
  };
}

const unreachable = (message: string, cause?: unknown): DomainError => new DomainError('tool-source/unreachable', message, { cause });

function mustFit({ name, settings }: SourceAccess, listing: ToolListing): void {
  const undo = settings.kind === 'openapi' ? (settings.undo ?? {}) : {};
  if (JSON.stringify([listing, undo]).length > maxListingCharacters) throw invalid(`The tools take more than ${maxListingCharacters} characters: describe fewer of them.`);
  const problem = problemWithUndo(name, listing, undo);
  if (problem !== undefined) throw invalid(problem);
}
