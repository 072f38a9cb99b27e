import { z } from 'zod';

/** What the local stack leaves in `.tenure/local.json`, so that the command line finds it. */
export const LocalSettings = z.object({
  pid: z.number().int(),
  apiUrl: z.url(),
  temporalUiUrl: z.url(),
  temporalAddress: z.string(),
  aws: z.object({ endpoint: z.url(), region: z.string(), accessKeyId: z.string(), secretAccessKey: z.string() }),
  operator: z.object({ email: z.string(), password: z.string() }),
});
export type LocalSettings = z.infer<typeof LocalSettings>;

/** Under the project's folder. */
export const localSettingsFile = '.tenure/local.json';
