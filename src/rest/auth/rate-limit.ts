import { isIPv6 } from 'node:net';

/** Options of {@link RateLimit}. */
export interface RateLimitOptions {
  /** How many actions per second each key is allowed on average. */
  perSecond: number;
  /** Number of actions that a key may perform in a burst. */
  burst: number;
  /** Maximum number of keys. The least recently used key is evicted first. */
  most: number;
}

interface Bucket {
  left: number;
  at: number;
}

/** Token buckets, one for each key, in bounded memory. */
export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: RateLimitOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a token from the bucket of a key. Returns 0, or the seconds until the bucket has a token again. */
  take(key: string, now: number = performance.now()): number {
    const wait = this.#wait(key, now);
    if (wait > 0) return wait;
    const { burst, most } = this.#options;
    const left = this.#left(key, now) - 1;
    this.#buckets.delete(key);
    // A full bucket is the same as no bucket.
    if (left < burst) this.#buckets.set(key, { left, at: now });
    if (this.#buckets.size > most) this.#buckets.delete(this.#buckets.keys().next().value!);
    return 0;
  }

  /** Returns a token to the bucket. */
  giveBack(key: string, now: number = performance.now()): void {
    const found = this.#buckets.get(key);
    if (found) this.#buckets.set(key, { left: Math.min(this.#options.burst, this.#left(key, now) + 1), at: now });
  }

  #wait(key: string, now: number): number {
    const left = this.#left(key, now);
    return left >= 1 ? 0 : Math.max(1, Math.ceil((1 - left) / this.#options.perSecond));
  }

  #left(key: string, now: number): number {
    const { perSecond, burst } = this.#options;
    const found = this.#buckets.get(key);
    return found ? Math.min(burst, found.left + ((now - found.at) / 1000) * perSecond) : burst;
  }
}

/**
 * Returns the key of an address. An IPv6 network has too many addresses to count separately, so the whole network has
 * one key.
 */
export function addressKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail = ''] = plain.split('::');
  const left = head.split(':').filter((part) => part !== '');
  const right = plain.includes('::') ? tail.split(':').filter((part) => part !== '') : [];
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}
