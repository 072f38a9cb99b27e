import { CliFailure, exitCodes } from '../failures';
import { ask } from './ask';

export interface Confirmation {
  /** `--yes`: do not ask. */
  readonly yes?: true;
  /** `--confirm <id>`: the id, as it would be typed. */
  readonly confirm?: string;
}

/**
 * Lets nothing be destroyed by mistake: the id is typed by a person, or repeated in the script.
 * @param what - a sentence: what is about to happen.
 * @throws CliFailure when it was not confirmed; nothing has happened then.
 */
export async function confirmDestruction(what: string, id: string, { yes, confirm }: Confirmation): Promise<void> {
  if (confirm !== undefined && confirm !== id) throw new CliFailure(exitCodes.usage, `Nothing was done: --confirm says ${confirm}, this is about ${id}.`);
  if (yes === true && confirm === undefined)
    throw new CliFailure(exitCodes.usage, 'Nothing was done: --yes alone does not confirm this.', `Repeat the id: --yes --confirm ${quoted(id)}`);
  if (yes === true) return;
  if (!process.stdin.isTTY)
    throw new CliFailure(exitCodes.usage, 'Nothing was done: this must be confirmed, and there is nobody to ask.', `In a script: --yes --confirm ${quoted(id)}`);
  const typed = await ask(`${what}\nType ${id} to go on: `);
  if (typed.trim() !== id) throw new CliFailure(exitCodes.refused, `Nothing was done: that was not ${id}.`);
}

/** As a shell takes it for one word. */
const quoted = (id: string): string => (id.includes(' ') ? `'${id}'` : id);
