import { rehearseRestore } from '../../src/workflows/rehearse';

export { rehearsal } from '../../src/workflows/rehearsal';

/** What an offboarding or a drill does: it rehearses, and goes on. */
export const rehearsing = (): Promise<unknown> => rehearseRestore({ sourceTenantId: 'acme', backupId: 'bak-1' });
