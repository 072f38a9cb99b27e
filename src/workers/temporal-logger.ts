import { DefaultLogger, type Logger as TemporalLogger, type LogLevel } from '@temporalio/worker';
import type { Logger } from '../logging';

const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const satisfies Record<LogLevel, string>;

/** Each of our workers does one of the two, by design: no warning to give once for each tenant. */
const isByDesign = (message: string): boolean => /^No (workflows|activities) registered, not polling/.test(message);

/** Temporal's own lines among ours; what it says once per activity or workflow task is for debugging. */
export const temporalLogger = (logger: Logger): TemporalLogger =>
  new DefaultLogger('INFO', ({ level, message, meta }) => logger[isByDesign(message) ? 'debug' : levels[level]]({ ...meta }, message));
