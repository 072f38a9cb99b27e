export { onboarding } from './onboarding';
export { offboarding } from './offboarding';
export { staleSessionClosing, usageRollUp } from './maintenance';
export { session } from './session';
