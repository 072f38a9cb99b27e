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
  /** Default: the process's. */
  readonly clock?: { readonly now: () => number };
}

/** Keeps the tools of MCP servers as they are: beside turns, which go on with those that are known. */
export function createRelisting({ sources, credentials, lister, clock = performance }: Dependencies) {
  const asked = new LRUCache<string, true>({ max: 10_000, ttl: retryAfterMs, perf: clock });
  /** Sources that said they have changed when they had just been asked. */
  const outdated = new LRUCache<string, true>({ max: 10_000 });

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

  /** Asks a server anew. What it has fails for nobody: the tools stay as they were. */
  function ask(tenantId: string, source: ToolSource): void {
    const key = keyOf(tenantId, source);
    asked.set(key, true);
    outdated.delete(key);
    relist(tenantId, source).catch((error: unknown) => {
      if (error instanceof DomainError && isForAdministrator(error.code)) refused(tenantId, source, error);
    });
  }

  /** A server says that its tools have: it is asked at once, or when it is needed next after it was left alone for long enough. */
  function changed(tenantId: string, source: ToolSource): void {
    const key = keyOf(tenantId, source);
    if (asked.has(key)) outdated.set(key, true);
    else ask(tenantId, source);
  }

  return {
    changed,
    refused,
    /** Asks those anew that have changed since they were listed, or were listed long ago. */
    keepUp(tenantId: string, known: readonly ToolSource[]): void {
      for (const source of known) {
        const key = keyOf(tenantId, source);
        const isDue = outdated.has(key) || Date.parse(source.listedAt) < Date.now() - relistAfterMs;
        if (isDue && source.settings.kind === 'mcp' && !asked.has(key)) ask(tenantId, source);
      }
    },
  };
}

const keyOf = (tenantId: string, { name }: ToolSource) => `${tenantId}/${name}`;
