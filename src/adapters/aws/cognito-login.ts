import {
  AssociateSoftwareTokenCommand,
  CognitoIdentityProviderClient,
  InitiateAuthCommand,
  type InitiateAuthCommandOutput,
  RespondToAuthChallengeCommand,
  RevokeTokenCommand,
  VerifySoftwareTokenCommand,
} from '@aws-sdk/client-cognito-identity-provider';
import { DomainError } from '../../contracts/errors';
import type { SignIn } from '../../contracts/sign-in';
import type { OperatorSignIn, SignInPlaces } from '../../ports/identity';
import { clientDefaults } from './clients';
import { isAwsError, translatingFailures } from './failures';

/** What Cognito wants to know beyond the password. */
export type Challenge =
  | { readonly kind: 'new-password' }
  | { readonly kind: 'code'; readonly from: 'app' | 'sms' | 'email'; readonly destination?: string }
  /** Put the secret into an authenticator app, and answer with its first code. */
  | { readonly kind: 'enrol'; readonly secret: string }
  | { readonly kind: 'choose'; readonly options: readonly string[] };

/** Answers a challenge; hears why when it is asked again. */
export type Answerer = (challenge: Challenge, refusal?: string) => Promise<string>;

export interface LoginTokens {
  readonly accessToken: string;
  /** Absent when Cognito renews no tokens for this client. */
  readonly refreshToken?: string;
  /** ISO 8601. */
  readonly expiresAt: string;
}

export interface CognitoLogin {
  /**
   * @param answer - what Cognito asks beyond the password is refused without it.
   * @throws DomainError `auth/unauthenticated` when user name, password or answers are wrong.
   */
  signIn(user: { email: string; password: string }, answer?: Answerer): Promise<LoginTokens>;
  /** @throws DomainError `auth/unauthenticated` when the login has ended. */
  renew(refreshToken: string): Promise<LoginTokens>;
  /** Ends the login: its refresh token is good for nothing any more. */
  revoke(refreshToken: string): Promise<void>;
}

/** What a step of signing in is answered with: tokens, or the next challenge. */
type Step = Pick<InitiateAuthCommandOutput, 'AuthenticationResult' | 'ChallengeName' | 'ChallengeParameters' | 'Session'>;

/** Refusals of an answer that may be given again. */
const mayAnswerAgain = ['InvalidPasswordException', 'CodeMismatchException', 'EnableSoftwareTokenMFAException', 'PasswordHistoryPolicyViolationException'];

const onlyPassword: Answerer = ({ kind }) => {
  const why = kind === 'new-password' ? 'Set your own password first: this one was only for the invitation.' : 'More than a password is needed: sign in with `tenure login`.';
  return Promise.reject(new DomainError('auth/unauthenticated', why));
};

/** Signs people in, as Cognito's own pages do: it needs no credentials of AWS. */
export function createCognitoLogin({ region, endpoint, clientId: ClientId }: Pick<SignIn, 'region' | 'endpoint' | 'clientId'>): CognitoLogin {
  const cognito = translatingFailures(new CognitoIdentityProviderClient(clientDefaults({ region, endpoint })));

  async function respond(step: Step, email: string, responses: Record<string, string>): Promise<Step> {
    const USERNAME = step.ChallengeParameters?.['USER_ID_FOR_SRP'] ?? email;
    const { ChallengeName, Session } = step;
    return cognito.send(new RespondToAuthChallengeCommand({ ClientId, ChallengeName, Session, ChallengeResponses: { USERNAME, ...responses } }));
  }

  /** Sets an authenticator app up, for pools that want one of everybody. */
  async function enrol(step: Step, email: string, answer: Answerer, refusal?: string): Promise<Step> {
    const { SecretCode: secret = '', Session } = await cognito.send(new AssociateSoftwareTokenCommand({ Session: step.Session }));
    const UserCode = await answer({ kind: 'enrol', secret }, refusal);
    const verified = await cognito.send(new VerifySoftwareTokenCommand({ Session, UserCode, FriendlyDeviceName: 'tenure' }));
    return respond({ ...step, Session: verified.Session ?? Session }, email, {});
  }

  async function meet(step: Step, email: string, answer: Answerer, refusal?: string): Promise<Step> {
    const { ChallengeName: name, ChallengeParameters: parameters = {} } = step;
    const destination = parameters['CODE_DELIVERY_DESTINATION'];
    const code = async (from: 'app' | 'sms' | 'email', response: string) =>
      respond(step, email, { [response]: await answer({ kind: 'code', from, ...(destination !== undefined && { destination }) }, refusal) });
    switch (name) {
      case 'NEW_PASSWORD_REQUIRED':
        return respond(step, email, { NEW_PASSWORD: await answer({ kind: 'new-password' }, refusal) });
      case 'SOFTWARE_TOKEN_MFA':
        return code('app', 'SOFTWARE_TOKEN_MFA_CODE');
      case 'SMS_MFA':
        return code('sms', 'SMS_MFA_CODE');
      case 'EMAIL_OTP':
        return code('email', 'EMAIL_OTP_CODE');
      case 'MFA_SETUP':
        return enrol(step, email, answer, refusal);
      case 'SELECT_MFA_TYPE': {
        const options = JSON.parse(parameters['MFAS_CAN_CHOOSE'] ?? '[]') as string[];
        return respond(step, email, { ANSWER: await answer({ kind: 'choose', options }, refusal) });
      }
      default:
        throw new DomainError('auth/unauthenticated', `Cognito asks for ${name ?? 'something unknown'}, which cannot be answered here.`);
    }
  }

  /** The same challenge again, as long as Cognito only finds fault with the answer. */
  async function meetPatiently(step: Step, email: string, answer: Answerer): Promise<Step> {
    for (let refusal: string | undefined; ; ) {
      try {
        return await meet(step, email, answer, refusal);
      } catch (error) {
        if (!isAwsError(error, ...mayAnswerAgain)) throw error;
        refusal = (error).message;
      }
    }
  }

  return {
    async signIn({ email, password }, answer = onlyPassword) {
      try {
        const AuthParameters = { USERNAME: email, PASSWORD: password };
        let step: Step = await cognito.send(new InitiateAuthCommand({ AuthFlow: 'USER_PASSWORD_AUTH', ClientId, AuthParameters }));
        while (!step.AuthenticationResult) step = await meetPatiently(step, email, answer);
        return tokensOf(step);
      } catch (error) {
        throw refusalOf(error);
      }
    },

    async renew(refreshToken) {
      try {
        const AuthParameters = { REFRESH_TOKEN: refreshToken };
        return { refreshToken, ...tokensOf(await cognito.send(new InitiateAuthCommand({ AuthFlow: 'REFRESH_TOKEN_AUTH', ClientId, AuthParameters }))) };
      } catch (error) {
        throw refusalOf(error, 'Your login has ended.');
      }
    },

    async revoke(refreshToken) {
      await cognito.send(new RevokeTokenCommand({ ClientId, Token: refreshToken }));
    },
  };
}

function tokensOf({ AuthenticationResult: result }: Step): LoginTokens {
  if (!result?.AccessToken) throw new Error('Cognito answered without an access token.');
  return {
    accessToken: result.AccessToken,
    ...(result.RefreshToken !== undefined && { refreshToken: result.RefreshToken }),
    expiresAt: new Date(Date.now() + (result.ExpiresIn ?? 3_600) * 1_000).toISOString(),
  };
}

/** As an operator, on the operators' pool. */
export const createOperatorSignIn = (places: Pick<SignInPlaces, 'operators'>): OperatorSignIn => ({
  signIn: async (operator) => createCognitoLogin(await places.operators()).signIn(operator),
});

/** In the words of Tenure's table. Of a user that does not exist it says the same as of a wrong password. */
function refusalOf(error: unknown, message?: string): unknown {
  if (isAwsError(error, 'UserNotFoundException') || (isAwsError(error, 'NotAuthorizedException') && error.message.startsWith('Incorrect username or password')))
    return new DomainError('auth/unauthenticated', 'User name or password are wrong.', { cause: error });
  if (isAwsError(error, 'PasswordResetRequiredException'))
    return new DomainError('auth/unauthenticated', 'An administrator has reset your password: ask for an invitation.', { cause: error });
  if (isAwsError(error, 'NotAuthorizedException', 'ExpiredCodeException', 'UserNotConfirmedException', 'ResourceNotFoundException'))
    return new DomainError('auth/unauthenticated', message ?? `Cognito refused the sign-in: ${(error).message}`, { cause: error });
  return error;
}
