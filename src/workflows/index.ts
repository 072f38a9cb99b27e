export { onboarding } from './onboarding';
export { offboarding } from './offboarding';
export { recoveryDrill } from './recovery-drill';
export { driftDetection, orphanSearch } from './inspections';
export { staleSessionClosing, usageRollUp } from './maintenance';
export { resumption } from './resumption';
export { suspension } from './suspension';
export { rehearsal } from './rehearsal';
export { session } from './session';
