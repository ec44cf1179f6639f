import type { Context } from 'hono';
import { addressKey } from './rate-limit.ts';

interface NodeBindings {
  incoming?: { socket?: { remoteAddress?: string | undefined } };
}

/**
 * Returns the address that sent a request, for limits. Headers such as X-Forwarded-For are not read, because anyone can send
 * them.
 */
export function addressOf(c: Context): string {
  const { incoming } = (c.env ?? {}) as NodeBindings;
  return addressKey(incoming?.socket?.remoteAddress ?? 'unknown');
}
