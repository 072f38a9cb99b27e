import { type DestinationStream, pino, type Logger } from 'pino';

export type { Logger };

/** What is never logged, however it is called and whoever puts it into a line. */
const secretNames = [
  'authorization',
  'Authorization',
  'cookie',
  'Cookie',
  '"set-cookie"',
  'password',
  'Password',
  'token',
  'accessToken',
  'idToken',
  'refreshToken',
  'AccessToken',
  'IdToken',
  'RefreshToken',
  'sessionToken',
  'SessionToken',
  'secretAccessKey',
  'SecretAccessKey',
  'clientSecret',
  'ClientSecret',
  'apiKey',
  'secret',
] as const;

/** At the top of a line, and up to three levels below: in headers, in requests, in errors and their causes. */
const secretPaths = ['', '*', '*.*', '*.*.*'].flatMap((above) => secretNames.map((name) => (above === '' ? pathOf(name) : `${above}${name.startsWith('"') ? `[${name}]` : `.${name}`}`)));

function pathOf(name: string): string {
  return name.startsWith('"') ? `[${name}]` : name;
}

/**
 * Structured logs on standard output; children carry `tenantId`, `sessionId`, `workflowId`, `requestId`.
 * @param destination - where to in place of standard output.
 */
export const createLogger = (name: 'api' | 'worker' | 'bootstrap' | 'export', level: string, destination?: DestinationStream): Logger => {
  const options = { name, level, redact: { paths: secretPaths, censor: '[redacted]' } };
  return destination ? pino(options, destination) : pino(options);
};

/** What Node.js would write as plain text, in lines like all others: its warnings, and the error that nobody caught, which ends the process as it would. */
export function logForNode(name: 'api' | 'worker'): void {
  const logger = createLogger(name, 'warn');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => logger.warn({ err: warning }, 'warning of Node.js'));
  process.on('uncaughtException', (error, origin) => {
    logger.fatal({ err: error, origin }, 'nobody caught this');
    process.exit(1);
  });
}
