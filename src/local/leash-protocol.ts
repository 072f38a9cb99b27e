/** Said to the leash by a parent that ends in order: there is nothing to clear up after it. */
export const leashIsDone = '.';
/** Time that the leash gives what it holds to end by itself. */
export const leashGraceMs = 5_000;
