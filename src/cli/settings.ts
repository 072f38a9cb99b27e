import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { localSettingsFile, LocalSettings } from '../contracts/local-settings';

/** Where a local stack leaves its settings: beside where the command is given, unless TENURE_HOME says otherwise. */
export const localSettingsPath = (directory = process.env['TENURE_HOME'] ?? process.cwd()): string => path.join(directory, localSettingsFile);

/** What the local stack here has left, while it runs. */
export async function findLocalSettings(): Promise<LocalSettings | undefined> {
  const text = await readFile(localSettingsPath(), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : LocalSettings.parse(JSON.parse(text));
}

/** @throws Error that says what to start, when no local stack has left its settings. */
export async function readLocalSettings(): Promise<LocalSettings> {
  const settings = await findLocalSettings();
  if (!settings) throw new Error(`No local stack runs here: ${localSettingsPath()} is missing. Run "npm start" in another terminal first.`);
  return settings;
}
