import { z } from 'zod';

/** What an agent is called within its tenant. */
export const AgentName = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'an agent is called 1-63 of a-z, 0-9 and -, starting with a letter');
export const AliasName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'an alias is 1-32 of a-z, 0-9 and -, starting with a letter');

/** What a session gets that names no version: every agent has it. */
export const defaultAlias = 'default';

/** `support`, `support@3`, `support@canary`: an agent by its default alias, a version, another alias. */
export const AgentReference = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}(@([1-9]\d{0,3}|[a-z][a-z0-9-]{0,31}))?$/, 'an agent is named as support, support@3 or support@canary');
