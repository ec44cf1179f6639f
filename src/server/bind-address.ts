import { BlockList, isIP } from 'node:net';
import { TaskerError } from '../errors.ts';

/** Where a server listens. */
export interface BindAddress {
  host: string;
  /** 0: any free one. */
  port: number;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Reads `127.0.0.1:8081`, `[::1]:8081`, `:8081` (every address), `8081` (this machine only).
 * @throws TaskerError `config_invalid`
 */
export function parseBindAddress(text: string): BindAddress {
  const match = /^(?:\[([^\]]+)\]:|([^:[\]]*):)?(\d+)$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (!match || port > 65_535) {
    throw new TaskerError(
      'config_invalid',
      `web.bind_address: ${JSON.stringify(text)} is no address to listen on; it looks like 127.0.0.1:8081 or [::1]:8081`,
    );
  }
  const host = match[1] ?? match[2];
  return { host: host === undefined ? '127.0.0.1' : host || '0.0.0.0', port };
}

/** Whether only programs of this machine get there. */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (plain === 'localhost' || plain.endsWith('.localhost')) return true;
  const family = isIP(plain);
  return family !== 0 && LOOPBACK.check(plain, family === 6 ? 'ipv6' : 'ipv4');
}
