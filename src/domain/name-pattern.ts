/** Whether a name is what the pattern says: itself, or one that begins with what stands before its `*`. */
export const matchesName = (pattern: string, name: string): boolean => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern);
