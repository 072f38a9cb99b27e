import { createInterface } from 'node:readline';
import type { Answerer, Challenge } from '../../adapters/aws/cognito-login';
import type { SignIn } from '../../contracts/sign-in';
import { apiPath } from '../access';
import { ApiClient } from '../api-client';
import { CliFailure, exitCodes } from '../failures';
import { ask } from '../terminal/ask';
import type { Login, Realm } from './logins';

interface Who {
  readonly user: string | undefined;
  readonly passwordStdin: boolean;
}

/** Asks the API where to sign in, and signs in there. @throws CliFailure, DomainError `auth/unauthenticated` */
export async function signInAt({ apiUrl, tenantId }: Realm, { user, passwordStdin }: Who): Promise<Login> {
  const path = tenantId === undefined ? '/api/v1/sign-in' : apiPath`/tenants/${tenantId}/sign-in`;
  const place = await new ApiClient(apiUrl).call<SignIn>(path);
  if (!passwordStdin && !process.stdin.isTTY)
    throw new CliFailure(exitCodes.usage, 'There is nobody to ask for the password.', 'In a script: … | tenure login --user <email> --password-stdin');
  if (passwordStdin && user === undefined) throw new CliFailure(exitCodes.usage, '--password-stdin needs --user <email>.');
  const answers = passwordStdin ? await linesOfStdin() : undefined;
  const email = user ?? (await ask('E-mail: ')).trim();
  const password = answers ? next(answers, 'the password') : await ask('Password: ', { hidden: true });
  const { createCognitoLogin } = await import('../../adapters/aws/cognito-login.js');
  const tokens = await createCognitoLogin(place).signIn({ email, password }, answers ? fromLines(answers) : fromPerson);
  return { apiUrl, ...(tenantId !== undefined && { tenantId }), email, place, ...tokens };
}

const whatIsAsked = (challenge: Challenge): string => {
  switch (challenge.kind) {
    case 'new-password':
      return 'a new password';
    case 'code':
      return challenge.from === 'app' ? 'the code of your authenticator app' : `the code sent to ${challenge.destination ?? 'you'}`;
    case 'enrol':
      return 'the first code of your authenticator app';
    case 'choose':
      return `which way to prove who you are (${challenge.options.join(', ')})`;
  }
};

/** A script that is asked the same again has given a wrong answer, and no better one. */
const fromLines =
  (lines: string[]): Answerer =>
  (challenge, refusal) => {
    if (refusal !== undefined) return Promise.reject(new CliFailure(exitCodes.notSignedIn, refusal));
    return Promise.resolve(next(lines, whatIsAsked(challenge)));
  };

function next(lines: string[], what: string): string {
  const line = lines.shift();
  if (line === undefined || line === '') throw new CliFailure(exitCodes.notSignedIn, `Cognito asks for ${what}, and standard input has no more lines.`);
  return line;
}

async function linesOfStdin(): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: process.stdin })) lines.push(line);
  return lines;
}

const fromPerson: Answerer = async (challenge, refusal) => {
  if (refusal !== undefined) process.stderr.write(`${refusal}\n`);
  if (challenge.kind === 'new-password') return newPassword();
  if (challenge.kind === 'enrol') process.stderr.write(`Add this key to your authenticator app: ${challenge.secret}\n`);
  return (await ask(`Type ${whatIsAsked(challenge)}: `)).trim();
};

async function newPassword(): Promise<string> {
  process.stderr.write('The password you were sent was for the first time only.\n');
  for (;;) {
    const password = await ask('New password: ', { hidden: true });
    if (password === (await ask('Again: ', { hidden: true }))) return password;
    process.stderr.write('These two differ.\n');
  }
}
