export { onboarding } from './onboarding';
export { offboarding } from './offboarding';
export { staleSessionClosing, usageRollUp } from './maintenance';
export { resumption } from './resumption';
export { suspension } from './suspension';
export { rehearsal } from './rehearsal';
export { session } from './session';
