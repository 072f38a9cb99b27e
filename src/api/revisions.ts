import { InvalidRequest } from './problem';

/** The ETag of what counts its changes. */
export const etagOf = ({ revision }: { readonly revision: number }): { readonly etag: string } => ({ etag: `"${revision}"` });

/**
 * The revision that the caller wants to change, by its `If-Match`.
 * @returns undefined when that is whatever there is now. @throws InvalidRequest
 */
export function seenRevision(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined;
  const [, digits] = /^"(\d{1,15})"$/.exec(ifMatch) ?? [];
  if (digits === undefined) throw new InvalidRequest([{ path: 'header.if-match', message: 'must be the ETag that was answered, such as "3"' }]);
  return Number(digits);
}
