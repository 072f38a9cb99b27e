import { LRUCache } from 'lru-cache';
import type { ToolSource } from '../../../contracts/tool-source';
import { mayShowSecret } from '../../../domain/source-tools';
import type { ToolLister, ToolSecrets, ToolSources } from '../../../ports/tool-sources';

/** An MCP server that says nothing of its changes is asked again after this. */
const relistAfterMs = 5 * 60_000;
/** A server that does not answer is not asked again at once. */
const retryAfterMs = 30_000;
const withinMs = 20_000;

interface Dependencies {
  readonly sources: ToolSources;
  readonly secrets: ToolSecrets;
  readonly lister: ToolLister;
}

/** Keeps the tools of MCP servers as they are: beside turns, which go on with those that are known. */
export function createRelisting({ sources, secrets, lister }: Dependencies) {
  const asked = new LRUCache<string, true>({ max: 10_000, ttl: retryAfterMs });

  async function relist(tenantId: string, { name, settings, secretOrigins }: ToolSource): Promise<void> {
    const secret = settings.url !== undefined && mayShowSecret({ secretOrigins }, settings.url) ? await secrets.get(tenantId, name) : undefined;
    const listing = await lister.list({ name, settings, secret }, undefined, AbortSignal.timeout(withinMs));
    const now = await sources.get(tenantId, name);
    // Somebody has changed or deleted it meanwhile: theirs stands.
    if (!now || JSON.stringify(now.settings) !== JSON.stringify(settings)) return;
    await sources.put(tenantId, { ...now, listing, listedAt: new Date().toISOString() });
  }

  /** Asks a server anew, if nobody has a moment ago. What it has fails for nobody: the tools stay as they were. */
  function changed(tenantId: string, source: ToolSource): void {
    const key = `${tenantId}/${source.name}`;
    if (source.settings.kind !== 'mcp' || asked.has(key)) return;
    asked.set(key, true);
    relist(tenantId, source).catch(() => undefined);
  }

  return {
    changed,
    /** Asks those anew that were listed long ago. */
    keepUp(tenantId: string, known: readonly ToolSource[]): void {
      for (const source of known) if (Date.parse(source.listedAt) < Date.now() - relistAfterMs) changed(tenantId, source);
    },
  };
}
