import { z } from 'zod';
import { AgentName, AliasName } from './agent-reference';
import { AgentConfig } from './tenant';

/** Agents a tenant may have, those in the archive too; versions of one; aliases of one. */
export const maxAgents = 100;
export const maxVersions = 1_000;
export const maxAliases = 10;

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
