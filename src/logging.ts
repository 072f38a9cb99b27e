import { pino, type Logger } from 'pino';

export type { Logger };

/** Structured logs on standard output; children carry `tenantId`, `sessionId`, `workflowId`, `requestId`. */
export const createLogger = (name: 'api' | 'worker' | 'bootstrap' | 'export', level: string): Logger =>
  pino({
    name,
    level,
    redact: { paths: ['*.authorization', '*.password', '*.token', 'headers.authorization'], censor: '[redacted]' },
  });
