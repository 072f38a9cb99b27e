import { z } from 'zod';
import { defineTool } from './tool';

const timeZone = z
  .string()
  .max(64)
  .refine((zone) => isTimeZone(zone), 'not an IANA time zone, such as Europe/Berlin')
  .default('UTC');

export const currentTime = defineTool({
  name: 'current_time',
  description: 'Tells the date and time now, in UTC or in an IANA time zone.',
  input: z.object({ timeZone: timeZone.describe('IANA name, such as Europe/Berlin') }),
  output: z.object({ utc: z.string(), timeZone: z.string(), local: z.string() }),
  timeoutMs: 5_000,
  maxAttempts: 3,
  effect: 'read',
  run({ timeZone: zone }) {
    const now = new Date();
    const local = new Intl.DateTimeFormat('en-GB', { timeZone: zone, dateStyle: 'full', timeStyle: 'long' }).format(now);
    return Promise.resolve({ utc: now.toISOString(), timeZone: zone, local });
  },
});

function isTimeZone(zone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: zone }));
  } catch {
    return false;
  }
}
