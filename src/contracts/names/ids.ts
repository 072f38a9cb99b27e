/** 3-32 characters, so that every AWS name derived below is legal. */
export const tenantIdPattern = /^[a-z][a-z0-9-]{2,31}$/;

/** Ids Tenure keeps for itself: its own name among tenants, folders of its backup bucket, and tenants built for a rehearsal. */
export const reservedTenantIds = { platform: 'platform', bucketFolders: ['certificates', 'erasures', 'reports'], scratchPrefix: 'scratch-' } as const;

export const isReservedTenantId = (tenantId: string): boolean =>
  tenantId === reservedTenantIds.platform || (reservedTenantIds.bucketFolders as readonly string[]).includes(tenantId) || isScratchTenant(tenantId);

/** Whether it was built for a rehearsal: a restored copy that serves nobody, and is deleted at its end. */
export const isScratchTenant = (tenantId: string): boolean => tenantId.startsWith(reservedTenantIds.scratchPrefix);

/** The scratch tenant of one rehearsal. @param unique - letters and digits; the last 20 count. */
export const scratchTenantId = (unique: string): string => `${reservedTenantIds.scratchPrefix}${unique.slice(-20)}`;

/** No underscore: it separates tenant and session in AgentCore's session id. */
export const sessionIdPattern = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;

/** Made of what was uploaded: the same twice in a session is one. */
export const attachmentIdPattern = /^att-[0-9a-hjkmnp-tv-z]{26}$/;

/** The platform among tenants: what is its own in Temporal bears this in place of a tenant's id. */
export const platformOwner = 'platform';

/** The one backup an offboarding takes: repeating the operation finds the same. */
export const backupIds = { ofOperation: (operationId: string) => `bak-${operationId.split('_')[2] ?? operationId}` } as const;

/** As {@link backupIds} makes them. */
export const backupIdPattern = /^bak-[0-9a-z]{1,64}$/;

/** The user of one probe, in the pool of the tenant that tries. Nobody has mail there. @param unique - of the run. */
export const probeUserEmail = (unique: string): string => `isolation-probe-${unique}@tenure.invalid`;

/** How an API key is written. Scanners for secrets know it by the prefix: changing it makes leaked keys invisible. */
export const apiKeyText = { prefix: 'tenure_key_', idLength: 16, pattern: /^tenure_key_([0-9a-hjkmnp-tv-z]{16})_([0-9a-f]{64})([0-9a-f]{8})$/ } as const;

/** Whom an API key acts as, where a user stands otherwise: sessions, usage, memory. Cognito's ids never begin like this. */
export const apiKeyUser = (keyId: string): string => `key-${keyId}`;

/** Whom a machine client acts as, where a user stands otherwise. */
export const machineClientUser = (clientId: string): string => `client-${clientId}`;

/** Whether it is a program, and no person. */
export const isProgram = (userId: string): boolean => userId.startsWith(apiKeyUser('')) || userId.startsWith(machineClientUser(''));

export const machineClientIdLength = 16;

/** Holds an operator's access token, for pages that read histories. */
export const operatorCookie = 'tenure-operator';

/** Ids of facts, as AgentCore gives them out. */
export const factIdPattern = /^mem-[A-Za-z0-9_-]{36,46}$/;
