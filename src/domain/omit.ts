/** A copy without one of its properties. */
export const omit = <T extends object, Name extends keyof T & string>(value: T, name: Name): Omit<T, Name> =>
  Object.fromEntries(Object.entries(value).filter(([other]) => other !== name)) as Omit<T, Name>;
