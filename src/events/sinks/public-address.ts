import { BlockList, isIP } from 'node:net';

type Subnet = readonly [address: string, prefix: number];

/**
 * Addresses from the IANA registry of special-purpose addresses. The last one is an internal service of a cloud
 * provider.
 */
const RESERVED_4 = blockList('ipv4', [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['168.63.129.16', 32],
]);

/** All global addresses are in this range, … */
const GLOBAL_6 = blockList('ipv6', [['2000::', 3]]);
/** … except those for protocols such as Teredo, for documentation, and for 6to4, which can map to any IPv4 address. */
const RESERVED_6 = blockList('ipv6', [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]);
/** Ranges that contain an IPv4 address in the last four bytes. */
const WITH_4 = blockList('ipv6', [
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
]);

function blockList(family: 'ipv4' | 'ipv6', subnets: readonly Subnet[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, family);
  return list;
}

/**
 * Returns whether an address is public: not of this machine or a private network, not multicast, and not the metadata
 * service of a cloud. False for text that is not an address.
 */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !RESERVED_4.check(address, 'ipv4');
  if (family !== 6 || address.includes('%')) return false;
  if (WITH_4.check(address, 'ipv6')) return isPublicAddress(embedded4(address));
  return GLOBAL_6.check(address, 'ipv6') && !RESERVED_6.check(address, 'ipv6');
}

/** The last four bytes of an IPv6 address as IPv4. `URL` normalizes all notations to one without dots. */
function embedded4(address: string): string {
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split(':');
  const [high = 0, low = 0] = groups.slice(-2).map((group) => Number.parseInt(group || '0', 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
