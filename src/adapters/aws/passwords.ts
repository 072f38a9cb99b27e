import { randomBytes } from 'node:crypto';
import { AdminSetUserPasswordCommand, type CognitoIdentityProviderClient } from '@aws-sdk/client-cognito-identity-provider';

/** Fits every password policy of the platform. */
export const randomPassword = (): string => `${randomBytes(18).toString('base64url')}aA1!`;

/** Gives a user this password for good, in place of the invitation's. */
export async function setPassword(cognito: CognitoIdentityProviderClient, UserPoolId: string, { email, password }: { email: string; password: string }): Promise<void> {
  await cognito.send(new AdminSetUserPasswordCommand({ UserPoolId, Username: email, Password: password, Permanent: true }));
}
