import { z } from 'zod';

/** An RSA public key (RFC 7517), named by its thumbprint (RFC 7638). */
export const PublicKey = z.strictObject({ kty: z.literal('RSA'), n: z.string(), e: z.string(), alg: z.literal('PS256'), use: z.literal('sig'), kid: z.string() });
export type PublicKey = z.infer<typeof PublicKey>;
