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

/** The ports of the local stack, each with the variable that moves it. */
export const localPorts = [
  { name: 'api', variable: 'TENURE_API_PORT', usual: 3000 },
  { name: 'temporal', variable: 'TENURE_TEMPORAL_PORT', usual: 7233 },
  { name: 'temporalUi', variable: 'TENURE_TEMPORAL_UI_PORT', usual: 8233 },
  { name: 'aws', variable: 'TENURE_AWS_PORT', usual: 4566 },
  { name: 'valkey', variable: 'TENURE_VALKEY_PORT', usual: 6379 },
  { name: 'model', variable: 'TENURE_MODEL_PORT', usual: 8089 },
] as const;
export type LocalPort = (typeof localPorts)[number];

/** As the environment has it: not checked yet. */
export const localPortOf = ({ variable, usual }: LocalPort): number => Number(process.env[variable] ?? usual);

/** Under the project's folder. */
export const localSettingsFile = '.tenure/local.json';
