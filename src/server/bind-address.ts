import { BlockList, isIP } from 'node:net';
import { address, type ListenAddress } from '../config/value-forms.ts';
import { TaskerError } from '../errors.ts';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Reads `127.0.0.1:8081`, `[::1]:8081`, `:8081` (every address), `8081` (this machine only).
 * @throws TaskerError `config_invalid`
 */
export function parseBindAddress(text: string): ListenAddress {
  const read = address.schema.safeParse(text);
  if (read.success) return read.data;
  throw new TaskerError(
    'config_invalid',
    `web.bind_address: ${JSON.stringify(text)} is no address to listen on; it looks like 127.0.0.1:8081 or [::1]:8081`,
  );
}

/** Whether only programs of this machine get there. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (plain === 'localhost' || plain.endsWith('.localhost')) return true;
  const family = isIP(plain);
  return family !== 0 && LOOPBACK.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}
