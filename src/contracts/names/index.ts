/** Every durable name in one place: renaming one is a data migration, so review it as one. */
export * from './ids';
export * from './keys';
export * from './operations';
export * from './resources';
export * from './valkey';
export * from './work';
