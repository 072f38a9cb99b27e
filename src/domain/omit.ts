/** A copy without some of its properties. */
export const omit = <T extends object, Name extends keyof T & string>(value: T, ...names: readonly Name[]): Omit<T, Name> =>
  Object.fromEntries(Object.entries(value).filter(([other]) => !(names as readonly string[]).includes(other))) as Omit<T, Name>;
