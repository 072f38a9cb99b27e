import { LRUCache } from 'lru-cache';
import { DomainError } from '../../../contracts/errors';
import type { ToolSource } from '../../../contracts/tool-source';
import { omit } from '../../../domain/omit';
import { isForAdministrator } from '../../../domain/source-tokens';
import type { SourceCredentials, ToolLister, ToolSources } from '../../../ports/tool-sources';

/** An MCP server that says nothing of its changes is asked again after this. */
const relistAfterMs = 5 * 60_000;
/** A server that does not answer is not asked again at once. */
const retryAfterMs = 30_000;
const withinMs = 20_000;

interface Dependencies {
  readonly sources: ToolSources;
  readonly credentials: SourceCredentials;
  readonly lister: ToolLister;
}

/** Keeps the tools of MCP servers as they are: beside turns, which go on with those that are known. */
export function createRelisting({ sources, credentials, lister }: Dependencies) {
  const asked = new LRUCache<string, true>({ max: 10_000, ttl: retryAfterMs });

  async function relist(tenantId: string, source: ToolSource): Promise<void> {
    const { name, settings, secretOrigins } = source;
    const shown = await credentials.of(tenantId, source, { url: settings.url, issuers: secretOrigins });
    const listing = await lister.list({ name, settings, ...shown }, undefined, AbortSignal.timeout(withinMs));
    await change(tenantId, source, (now) => ({ ...omit(now, 'problem'), listing, listedAt: new Date().toISOString() }));
  }

  /** Somebody may have changed or deleted it meanwhile: theirs stands. */
  async function change(tenantId: string, { name, settings }: ToolSource, to: (now: ToolSource) => ToolSource): Promise<void> {
    const now = await sources.get(tenantId, name);
    if (now && JSON.stringify(now.settings) === JSON.stringify(settings)) await sources.put(tenantId, to(now), now);
  }

  /** Written down beside the call, for who looks at the source. */
  function refused(tenantId: string, source: ToolSource, { code, message }: DomainError): void {
    const key = `${tenantId}/${source.name}/${code}`;
    if (asked.has(key)) return;
    asked.set(key, true);
    change(tenantId, source, (now) => ({ ...now, problem: { code, message, at: new Date().toISOString() } })).catch(() => undefined);
  }

  /** Asks a server anew, if nobody has a moment ago. What it has fails for nobody: the tools stay as they were. */
  function changed(tenantId: string, source: ToolSource): void {
    const key = `${tenantId}/${source.name}`;
    if (source.settings.kind !== 'mcp' || asked.has(key)) return;
    asked.set(key, true);
    relist(tenantId, source).catch((error: unknown) => {
      if (error instanceof DomainError && isForAdministrator(error.code)) refused(tenantId, source, error);
    });
  }

  return {
    changed,
    refused,
    /** Asks those anew that were listed long ago. */
    keepUp(tenantId: string, known: readonly ToolSource[]): void {
      for (const source of known) if (Date.parse(source.listedAt) < Date.now() - relistAfterMs) changed(tenantId, source);
    },
  };
}
