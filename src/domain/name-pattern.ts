/** Whether a name is what the pattern says: itself, or one that begins with what stands before its `*`. */
export const matchesName = (pattern: string, name: string): boolean => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern);

/** What a table says of a name, by the pattern that fits best; undefined when none fits. */
export function bestMatch<Value>(table: Readonly<Record<string, Value>>, name: string): Value | undefined {
  const fitting = Object.keys(table).filter((pattern) => matchesName(pattern, name));
  const [best] = fitting.sort((a, b) => rankOf(b) - rankOf(a));
  return best === undefined ? undefined : table[best];
}

/** A whole name goes before a beginning, a longer beginning before a shorter one. */
const rankOf = (pattern: string): number => (pattern.endsWith('*') ? pattern.length - 1 : Infinity);
