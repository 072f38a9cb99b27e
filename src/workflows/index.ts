export { onboarding } from './onboarding';
export { offboarding } from './offboarding';
export { staleSessionClosing } from './maintenance';
export { session } from './session';
