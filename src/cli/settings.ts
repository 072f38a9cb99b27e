import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { localSettingsFile, LocalSettings } from '../contracts/local-settings';

/** @throws Error that says what to start, when no local stack has left its settings. */
export async function readLocalSettings(directory = process.env['TENURE_HOME'] ?? process.cwd()): Promise<LocalSettings> {
  const file = path.join(directory, localSettingsFile);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined)
    throw new Error(`No local stack runs here: ${file} is missing. Run "npm start" in another terminal first.`);
  return LocalSettings.parse(JSON.parse(text));
}
