import type { JsonValue } from '../contracts/model';
import type { ListedTool, McpSettings, ToolListing, ToolSource, ToolSourceSettings } from '../contracts/tool-source';

/** Where a tenant's agents get tools from, besides the built-in ones. */
export interface ToolSources {
  /** In the order of their names. */
  list(tenantId: string): Promise<ToolSource[]>;
  /** Those of these names, as they were a few seconds ago at most; one that was made since is among them. */
  known(tenantId: string, names: ReadonlySet<string>): Promise<readonly ToolSource[]>;
  get(tenantId: string, name: string): Promise<ToolSource | undefined>;
  /**
   * @param earlier - as it was read, which this one takes the place of; undefined: there was none.
   * @throws DomainError `tool-source/changed` when somebody else has made, changed or deleted it since.
   */
  put(tenantId: string, source: ToolSource, earlier: ToolSource | undefined): Promise<void>;
  /** @returns false when there was none. */
  delete(tenantId: string, name: string): Promise<boolean>;
}

/** A source as far as its secret goes: who may be shown it, or what is got with it. */
export type SecretOwner = Pick<ToolSource, 'name' | 'secretOrigins' | 'tokenOrigins'>;

/** What a tenant's sources are shown by those who call them. */
export interface ToolSecrets {
  /** Kept for these servers: of two who set up one source at once, neither has the other's secret shown to servers of their own. */
  put(tenantId: string, source: SecretOwner, secret: string): Promise<void>;
  /** Undefined: none was set, or for other servers than these. */
  get(tenantId: string, source: SecretOwner): Promise<string | undefined>;
  delete(tenantId: string, source: string): Promise<void>;
}

/** A source, with what it wants to be shown. */
export interface SourceAccess {
  readonly name: string;
  readonly settings: ToolSourceSettings;
  readonly secret: string | undefined;
  /** Of a source with an OAuth client, in place of the secret. */
  readonly bearer?: Bearer | undefined;
}

export interface IssuedToken {
  readonly value: string;
  /** Origins of those who were asked for it: the authorization server, its token endpoint. */
  readonly issuers: readonly string[];
}

/**
 * A token for a source's server, kept until shortly before it expires.
 * @param refused - one that the server did not take: another is fetched, unless somebody has done so meanwhile.
 * @throws DomainError `tool/credential-refused`, `tool/scope-insufficient`, `tool/no-token`, `tool/egress-refused`; `tool/unreachable`, to be tried again: nothing was called yet.
 */
export type Bearer = (refused?: string) => Promise<IssuedToken>;

/** A source as far as it matters for what its servers are shown. */
export type CredentialOwner = SecretOwner & Pick<ToolSource, 'settings'> & { readonly listing?: Pick<ToolListing, 'tokenEndpoint'> };

export interface CredentialUse {
  /** What is called; undefined: nothing. */
  readonly url: string | undefined;
  /** Who may be asked for tokens. */
  readonly issuers: readonly string[];
  /** One that is being set, for whichever servers the source has now; otherwise the one that is kept, for those it was set for. */
  readonly secret?: string | undefined;
}

/** What the servers of sources are shown. Read for each use, and handed to nobody but the clients. */
export interface SourceCredentials {
  of(tenantId: string, source: CredentialOwner, use: CredentialUse): Promise<Pick<SourceAccess, 'secret' | 'bearer'>>;
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
   * @throws DomainError `tool/unreachable`, `tool/busy`, `tool/failed`, `tool/refused`; `tool/bad-output`: there was an answer, and it is none that can be read
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
