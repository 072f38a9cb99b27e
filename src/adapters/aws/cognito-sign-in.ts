import { randomBytes } from 'node:crypto';
import {
  AdminSetUserPasswordCommand,
  type CognitoIdentityProviderClient,
  InitiateAuthCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { DomainError } from '../../contracts/errors';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { isAwsError } from './failures';
import type { OperatorSignIn } from '../../ports/identity';
import { loadOperatorPool, type UserPool } from './token-issuers';

export interface SignedIn {
  readonly accessToken: string;
  readonly idToken: string;
  readonly expiresInSeconds: number;
}

export interface CognitoSignIn {
  /** @throws DomainError `auth/unauthenticated` when user name or password are wrong. */
  signIn(pool: UserPool, user: { email: string; password: string }): Promise<SignedIn>;
  /** Sets a password for good, in place of the invitation's. */
  setPassword(userPoolId: string, user: { email: string; password: string }): Promise<void>;
}

/** What a person does in front of Cognito's own pages, for the command line and the local stack. */
export const createCognitoSignIn = ({ cognito }: { cognito: CognitoIdentityProviderClient }): CognitoSignIn => ({
  async signIn({ userPoolClientId }, { email, password }) {
    try {
      const { AuthenticationResult: result } = await cognito.send(
        new InitiateAuthCommand({
          AuthFlow: 'USER_PASSWORD_AUTH',
          ClientId: userPoolClientId,
          AuthParameters: { USERNAME: email, PASSWORD: password },
        }),
      );
      if (!result?.AccessToken || !result.IdToken) throw new DomainError('auth/unauthenticated', 'Set your own password first: this one was only for the invitation.');
      return { accessToken: result.AccessToken, idToken: result.IdToken, expiresInSeconds: result.ExpiresIn ?? 3_600 };
    } catch (error) {
      if (!isAwsError(error, 'NotAuthorizedException', 'UserNotFoundException')) throw error;
      throw new DomainError('auth/unauthenticated', 'User name or password are wrong.', { cause: error });
    }
  },

  async setPassword(UserPoolId, { email, password }) {
    await cognito.send(new AdminSetUserPasswordCommand({ UserPoolId, Username: email, Password: password, Permanent: true }));
  },
});

/** As an operator, on the operators' pool. */
export function createOperatorSignIn(aws: { cognito: CognitoIdentityProviderClient; ssm: SSMClient }): OperatorSignIn {
  const cognito = createCognitoSignIn(aws);
  return { signIn: async (operator) => cognito.signIn(await loadOperatorPool(aws), operator) };
}

/** Fits every password policy of the platform. */
export const randomPassword = (): string => `${randomBytes(18).toString('base64url')}aA1!`;
