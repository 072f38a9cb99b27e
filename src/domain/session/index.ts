/** What a session does next, and what becomes of it by whatever happens: pure, one subject a file. */
export * from './approvals';
export * from './budget-pause';
export * from './calls';
export * from './errand';
export * from './extraction';
export * from './holding';
export * from './inbox';
export * from './interruption';
export * from './next-action';
export * from './past';
export * from './questions';
export * from './state';
export * from './turn';
export * from './undo';
export * from './view';
