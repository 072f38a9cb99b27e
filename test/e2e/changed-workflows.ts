import { patched } from '@temporalio/workflow';
import type { SessionInput } from '../../src/workflows/definitions';
import { session as before } from '../../src/workflows/session';

export * from '../../src/workflows';

/** A next version of the platform: sessions that begin with it do what those of before do not. */
export async function session(input: SessionInput): Promise<void> {
  patched('of-the-next-version');
  await before(input);
}
