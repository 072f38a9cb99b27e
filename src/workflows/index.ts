export { onboarding } from './onboarding';
export { offboarding } from './offboarding';
export { session } from './session';
