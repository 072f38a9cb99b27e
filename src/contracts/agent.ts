import { z } from 'zod';
import { AgentConfig } from './tenant';

/** What an agent is called within its tenant. */
export const AgentName = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'an agent is called 1-63 of a-z, 0-9 and -, starting with a letter');
export const AliasName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'an alias is 1-32 of a-z, 0-9 and -, starting with a letter');

/** The alias that every agent has: what a session gets that names no version. */
export const defaultAlias = 'default';

/** Agents a tenant may have, those in the archive too; versions of one; aliases of one. */
export const maxAgents = 100;
export const maxVersions = 1_000;
export const maxAliases = 10;

/** `support`, `support@3`, `support@canary`: an agent by its default alias, a version, another alias. */
export const AgentReference = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}(@([1-9]\d{0,3}|[a-z][a-z0-9-]{0,31}))?$/, 'an agent is named as support, support@3 or support@canary');

/** One version of an agent: what a session keeps to from its opening on. */
export const AgentPin = z.object({ name: AgentName, version: z.number().int().min(1) });
export type AgentPin = z.infer<typeof AgentPin>;

/** An agent, without what its versions say. */
export const Agent = z.object({
  name: AgentName,
  description: z.string().optional(),
  latestVersion: z.number().int().min(1),
  /** Which version each stands for; `default` is always among them. */
  aliases: z.record(AliasName, z.number().int().min(1)),
  /** Goes up with each change of this record; the ETag of the agent. */
  revision: z.number().int().min(1),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  /** No new session can have it; those that have it go on. */
  archivedAt: z.iso.datetime().optional(),
});
export type Agent = z.infer<typeof Agent>;

/** A version in a list. */
export const AgentVersion = z.object({
  name: AgentName,
  version: z.number().int().min(1),
  note: z.string().optional(),
  createdAt: z.iso.datetime(),
  /** Cognito `sub` of who published it. */
  createdBy: z.string(),
});
export type AgentVersion = z.infer<typeof AgentVersion>;

/** A version with what it says. It never changes. */
export const AgentVersionWithSettings = AgentVersion.extend({ settings: AgentConfig });
export type AgentVersionWithSettings = z.infer<typeof AgentVersionWithSettings>;
