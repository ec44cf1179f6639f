import { BlockList, isIP } from 'node:net';
import { address, type ListenAddress } from '../config/value-forms.ts';
import { TaskerError } from '../errors.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Parses `127.0.0.1:8081`, `[::1]:8081`, `:8081` (all addresses) or `8081` (this machine only).
 * @throws TaskerError `config_invalid`
 */
export function parseBindAddress(text: string): ListenAddress {
  const read = address.schema.safeParse(text);
  if (read.success) return read.data;
  throw new TaskerError(
    'config_invalid',
    `web.bind_address: ${JSON.stringify(text)} is not an address to listen on; use the form 127.0.0.1:8081 or [::1]:8081`,
  );
}

/** Returns whether a host name or address can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (plain === 'localhost' || plain.endsWith('.localhost')) return true;
  const family = isIP(plain);
  return family !== 0 && LOOPBACK.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}
