import { z } from 'zod';
import { SessionId, type SessionRef } from '../../contracts/session';
import { TenantId } from '../../contracts/tenant';

/** What the paths of routes name. */

export const TenantPath = z.object({ tenantId: TenantId });
export const SessionPath = TenantPath.extend({ sessionId: SessionId });

/** Addresses that answers lead to. */
export const urlOfSession = ({ tenantId, sessionId }: SessionRef): string => `/api/v1/tenants/${tenantId}/sessions/${sessionId}`;
export const urlOfEvents = (session: SessionRef, after: number): string => `${urlOfSession(session)}/events?after=${after}`;

/** What Cognito makes. Nothing that means anything in a filter. */
export const UserId = z.string().regex(/^[0-9A-Za-z][0-9A-Za-z-]{0,127}$/, 'a user id is 1-128 letters, digits and -');
