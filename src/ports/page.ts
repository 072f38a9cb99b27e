/** How much of a list is asked for: so many at most, from behind the cursor on. Without one, from the list's beginning. */
export interface PageRequest {
  readonly limit: number;
  readonly cursor?: string | undefined;
}
