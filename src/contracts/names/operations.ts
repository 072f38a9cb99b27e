export const operationIds = {
  of: (kind: OperationKind, tenantId: string, unique: string) => `${kind}_${tenantId}_${unique}`,
} as const;

/** @throws TypeError when the id was not checked against {@link operationIdPattern} first. */
export function tenantOfOperation(operationId: string): string {
  const tenantId = operationId.split('_')[1];
  if (!tenantId) throw new TypeError(`Not an operation id: ${operationId}`);
  return tenantId;
}

/**
 * What is done to a tenant as an operation, and its steps in order. A kind is also the name of its workflow, and part of the
 * operation's id (no underscore); the API and the Temporal UI show the steps, and running workflows know them by these names.
 */
export const operationSteps = {
  onboarding: [
    'reserve',
    'infrastructure',
    'memory',
    'runtime',
    'identity',
    'gateway',
    'config',
    'administrator',
    'schedules',
    'scaling',
    'worker',
    'smoke_turn',
    'activate',
  ],
  offboarding: [
    'block',
    'delete_schedules',
    'drain',
    'count_usage',
    'backup',
    'verify_backup',
    'rehearse_restore',
    'grace_period',
    'take_inventory',
    'end_work',
    'delete_scaling',
    'delete_gateway',
    'delete_identity',
    'delete_runtime',
    'delete_memory',
    'delete_config',
    'empty_bucket',
    'delete_infrastructure',
    'schedule_key_deletion',
    'check_remains',
    'tombstone',
    'certificate',
  ],
  suspension: ['claim', 'suspend', 'pause_schedules', 'pause_sessions', 'release'],
  resumption: ['claim', 'reinstate', 'resume_sessions', 'resume_schedules', 'release'],
  backup: ['claim', 'backup', 'verify_backup', 'release'],
  backupVerification: ['find_backup', 'verify_backup'],
  restore: [
    'admit',
    'count_usage',
    'backup',
    'infrastructure',
    'memory',
    'runtime',
    'identity',
    'gateway',
    'forget_sessions',
    'restore_users',
    'restore_data',
    'compare',
    'schedules',
    'scaling',
    'worker',
    'smoke_turn',
    'activate',
    'release',
  ],
  rehearsal: [
    'reserve',
    'infrastructure',
    'memory',
    'restore_users',
    'restore_data',
    'compare',
    'delete_memory',
    'delete_config',
    'empty_bucket',
    'delete_infrastructure',
    'schedule_key_deletion',
    'check_remains',
    'give_back',
  ],
  tierChange: ['claim', 'change_tier', 'take_effect', 'release'],
  configurationChange: ['claim', 'change_config', 'take_effect', 'release'],
  /** Nothing of it can be taken back once the tenant is claimed. */
  erasure: ['claim', 'list_erasure', 'end_sessions', 'hide_sessions', 'erase_table', 'erase_objects', 'erase_facts', 'erase_live', 'erase_histories', 'sign_erasure', 'release'],
  keyRotation: ['claim', 'rotate_key', 'renew_data_keys', 'take_effect', 'check_key', 'release'],
  clientRotation: ['claim', 'create_client', 'accept_client', 'overlap', 'retire_client', 'delete_client', 'release'],
} as const satisfies Record<string, readonly string[]>;
export type OperationKind = keyof typeof operationSteps;
export type StepName<Kind extends OperationKind = OperationKind> = (typeof operationSteps)[Kind][number];
export const operationKinds = Object.keys(operationSteps) as [OperationKind, ...OperationKind[]];

export const operationStates = ['running', 'completed', 'undoing', 'undone', 'cancelled'] as const;
export type OperationState = (typeof operationStates)[number];

export const operationIdPattern = new RegExp(`^(${operationKinds.join('|')})_[a-z][a-z0-9-]{2,31}_[0-9a-z]{26}$`);
