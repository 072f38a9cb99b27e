import type { JsonValue } from '../contracts/model';
import type { ListedTool, McpSettings, ToolListing, ToolSource, ToolSourceSettings } from '../contracts/tool-source';

/** Where a tenant's agents get tools from, besides the built-in ones. */
export interface ToolSources {
  /** In the order of their names. */
  list(tenantId: string): Promise<ToolSource[]>;
  /** The same, as it was a few seconds ago at most. */
  known(tenantId: string): Promise<readonly ToolSource[]>;
  get(tenantId: string, name: string): Promise<ToolSource | undefined>;
  put(tenantId: string, source: ToolSource): Promise<void>;
  /** @returns false when there was none. */
  delete(tenantId: string, name: string): Promise<boolean>;
}

/** What a tenant's sources are shown by those who call them. */
export interface ToolSecrets {
  put(tenantId: string, source: string, secret: string): Promise<void>;
  /** Undefined: none was set. */
  get(tenantId: string, source: string): Promise<string | undefined>;
  delete(tenantId: string, source: string): Promise<void>;
}

/** A source, with what it wants to be shown. */
export interface SourceAccess {
  readonly name: string;
  readonly settings: ToolSourceSettings;
  readonly secret: string | undefined;
}

export interface ToolLister {
  /**
   * The tools of a source, as it describes them now. @param document - that was sent along
   * @throws DomainError `tool-source/invalid`, `tool-source/unreachable`, `tool/egress-refused`
   */
  list(access: SourceAccess, document: string | undefined, signal: AbortSignal): Promise<ToolListing>;
}

/** Servers of the Model Context Protocol. */
export interface McpServers {
  list(access: SourceAccess & { readonly settings: McpSettings }, signal: AbortSignal): Promise<ToolListing>;
  /**
   * @param onChange - told when the server says that its tools are others now.
   * @throws DomainError `tool/unreachable`, `tool/busy`, `tool/failed`, `tool/unknown`
   */
  call(
    access: SourceAccess & { readonly settings: McpSettings },
    call: { readonly tool: string; readonly input: JsonValue; readonly idempotencyKey: string; readonly timeoutMs: number; readonly signal: AbortSignal; readonly onChange: () => void },
  ): Promise<McpAnswer>;
}

export interface McpAnswer {
  /** The server's own word that the tool failed. */
  readonly isError: boolean;
  readonly output: JsonValue;
}

export type { ListedTool };
