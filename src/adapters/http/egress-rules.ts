import { BlockList, isIP } from 'node:net';

/** An address (`10.1.2.3`) or a range of them (`10.0.0.0/8`). */
export const isAddressRange = (text: string): boolean => {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
};

/** No setting opens these: what answers there gives credentials to whoever asks. */
const neverReached = ['169.254.0.0/16', '168.63.129.16', 'fe80::/10', 'fd00:ec2::/32'];

/** IPv4 that is not the public internet. @see https://www.iana.org/assignments/iana-ipv4-special-registry */
const notPublicV4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24'],
  ...['192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
];

/** Global unicast. All else of IPv6 is closed, and with it ::1, IPv4-mapped, NAT64, unique local, link-local and multicast. */
const publicV6 = ['2000::/3'];

/** Inside global unicast: Teredo and other tunnels (2001::/23), documentation, 6to4. Tunnels carry an IPv4 address of the caller's choice. */
const notPublicV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

/**
 * Which addresses tools may connect to.
 * @param privateAddresses - exceptions to "public ones only"; link-local and metadata addresses stay closed.
 */
export function createEgressRules(privateAddresses: readonly string[]): { allows(address: string): boolean } {
  const [never, exceptions, closedV4, openV6, closedV6] = [neverReached, privateAddresses, notPublicV4, publicV6, notPublicV6].map(listOf);
  return {
    allows(address) {
      const family = isIP(address);
      // With a zone (`fe80::1%eth0`) it is of one link only, whatever stands before it.
      if (family === 0 || address.includes('%')) return false;
      const isIn = (list: BlockList | undefined) => list?.check(address, family === 4 ? 'ipv4' : 'ipv6') === true;
      if (isIn(never)) return false;
      if (isIn(exceptions)) return true;
      return family === 4 ? !isIn(closedV4) : isIn(openV6) && !isIn(closedV6);
    },
  };
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
