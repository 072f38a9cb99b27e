import { z } from 'zod';

/** Where somebody signs in at Cognito to call this API. Public, as a sign-in page is. */
export const SignIn = z.object({
  region: z.string(),
  /** Cognito's address: AWS's own, or the emulator's. */
  endpoint: z.url(),
  userPoolId: z.string(),
  clientId: z.string(),
  /** `iss` of the tokens. */
  issuer: z.string(),
});
export type SignIn = z.infer<typeof SignIn>;
