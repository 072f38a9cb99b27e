import { ofAccess } from './access';
import { ofAgents } from './agents';
import { ofAudit } from './audit';
import { ofCredentials } from './credentials';
import { ofEncryption } from './encryption';
import { ofErasure } from './erasure';
import { ofLimits } from './limits';
import { ofProbe } from './probe';
import type { Protection } from './protection';
import { ofTools } from './tools';

/** Each row of each table "protection → test that fails without it" in docs/security.md, with one or more ways to take it out. */
export const protections: readonly Protection[] = [...ofCredentials, ...ofEncryption, ...ofAccess, ...ofLimits, ...ofAudit, ...ofAgents, ...ofTools, ...ofProbe, ...ofErasure];
