import { z } from 'zod';
import { settingsIn } from '../../config';
import { ModelServer } from './server';

const Env = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8089),
  MODEL_FIRST_TOKEN_MS: z.coerce.number().min(0).default(20),
  MODEL_MS_PER_TOKEN: z.coerce.number().min(0).default(2),
  TENURE_OPENAI_BASE_URL: z.url().optional(),
  TENURE_OPENAI_API_KEY: z.string().optional(),
  TENURE_OPENAI_MODEL: z.string().default('gpt-4o-mini'),
});

async function main(): Promise<void> {
  const parsed = Env.safeParse(settingsIn(process.env));
  if (!parsed.success) throw new Error(`The model server cannot use its settings\n${z.prettifyError(parsed.error)}`);
  const env = parsed.data;
  const server = new ModelServer({
    host: env.HOST,
    port: env.PORT,
    firstTokenMs: env.MODEL_FIRST_TOKEN_MS,
    msPerToken: env.MODEL_MS_PER_TOKEN,
    ...(env.TENURE_OPENAI_BASE_URL !== undefined && {
      openAi: { baseUrl: env.TENURE_OPENAI_BASE_URL, apiKey: env.TENURE_OPENAI_API_KEY, model: env.TENURE_OPENAI_MODEL },
    }),
  });
  process.once('SIGTERM', () => void server.close().then(() => process.exit(0)));
  console.log(`model server on ${await server.start()}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
