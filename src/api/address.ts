import { isIPv6 } from 'node:net';
import type { Request } from 'express';

/** An IPv4 address as everybody writes it, also on a socket that speaks IPv6. */
export const unmapped = (ip: string): string => ip.replace(/^::ffff:(?=\d+\.)/i, '');

/**
 * Where a request comes from, as it is counted: the address of the connection, or the one that as many proxies as are trusted have
 * named. Of IPv6 the first 64 bits: a single customer has all the others.
 */
export function addressOf({ ip }: Pick<Request, 'ip'>): string {
  const address = unmapped(ip ?? 'unknown').replace(/%.*$/, '');
  return isIPv6(address) ? `${groupsOf(address).slice(0, 4).join(':')}::/64` : address;
}

/** The eight groups of an IPv6 address, without leading zeros. */
function groupsOf(address: string): string[] {
  const [head = '', tail] = address.toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: Math.max(0, missing) }, () => '0'), ...after].map((group) => group.replace(/^0+(?=.)/, ''));
}
