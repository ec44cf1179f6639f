import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { createLocalJWKSet, FlattenedJWSInput, JSONWebKeySet, JWSHeaderParameters } from 'jose';
import { messageOf, TaskerError } from '../../errors.ts';
import { addressesOf, pinnedTo } from '../../events/sinks/pinned-addresses.ts';
import type { Logger } from '../../logging/logger.ts';

/** The location of the public keys of an identity provider. */
export interface KeySetSettings {
  url: string;
  /** Time after which the keys are loaded again. */
  refreshMs: number;
  /** How long older keys are used while the provider does not respond. */
  maxStaleMs: number;
  /** Allows http and private addresses. */
  allowHttp: boolean;
}

const TIMEOUT_MS = 10_000;
/** Minimum time between two requests for an unknown key, or to a provider that does not respond. */
const COOLDOWN_MS = 30_000;
const LARGEST = 1024 * 1024;

type LocalKeys = ReturnType<typeof createLocalJWKSet>;

/** The public keys of an identity provider, which may change at any time. */
export class KeySet {
  readonly #settings: KeySetSettings;
  readonly #logger: Logger;
  readonly #now: () => number;
  #keys: LocalKeys | undefined;
  #loadedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;

  constructor(settings: KeySetSettings, logger: Logger, now: () => number = () => performance.now()) {
    this.#settings = settings;
    this.#logger = logger;
    this.#now = now;
  }

  /**
   * Returns the key that a token names. Loads the keys again if the named key is unknown, because the provider may have
   * changed them.
   */
  async keyFor(header: JWSHeaderParameters, token: FlattenedJWSInput): ReturnType<LocalKeys> {
    const keys = await this.#current();
    try {
      return await keys(header, token);
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code !== 'ERR_JWKS_NO_MATCHING_KEY' || this.#now() - this.#triedAt < COOLDOWN_MS) throw error;
      await this.#load().catch((failed: unknown) => this.#warn(failed));
      return await this.#keys!(header, token);
    }
  }

  async #current(): Promise<LocalKeys> {
    const { refreshMs, maxStaleMs } = this.#settings;
    const age = this.#now() - this.#loadedAt;
    if (this.#keys && age <= refreshMs) return this.#keys;
    const usable = this.#keys !== undefined && age <= refreshMs + maxStaleMs;
    if (usable && this.#now() - this.#triedAt < COOLDOWN_MS) return this.#keys!;
    try {
      await this.#load();
    } catch (error) {
      this.#warn(error);
      if (!usable) {
        throw new TaskerError(
          'not_ready',
          'the keys of the identity provider cannot be loaded; see the log of the server',
          {
            cause: error,
          },
        );
      }
    }
    return this.#keys!;
  }

  #warn(error: unknown): void {
    this.#logger.warn({ url: this.#settings.url, error: messageOf(error) }, 'keys of the identity provider not loaded');
  }

  #load(): Promise<void> {
    this.#loading ??= this.#fetch().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #fetch(): Promise<void> {
    this.#triedAt = this.#now();
    const [text, { createLocalJWKSet }] = await Promise.all([getText(this.#settings), import('jose')]);
    this.#keys = createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
    this.#loadedAt = this.#now();
  }
}

/** Reads a URL, without following redirects. Connects only to the addresses that were checked. */
async function getText({ url, allowHttp }: KeySetSettings): Promise<string> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:' && !allowHttp) throw new Error(`${url} is not https; jwks_url_allow_http = true allows it`);
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const addresses = await addressesOf(hostname, { allowPrivate: allowHttp, signal }).catch((error: unknown) => {
    throw new Error(
      `${hostname} cannot be used: ${messageOf(error)}`.replace(/;.*/, '; jwks_url_allow_http = true allows it'),
    );
  });
  return new Promise((resolve, reject) => {
    const send = protocol === 'https:' ? requestHttps : requestHttp;
    const options = { signal, lookup: pinnedTo(addresses), headers: { accept: 'application/json' } };
    const asked = send(url, options, (answer) => {
      if (answer.statusCode !== 200) {
        answer.destroy();
        reject(new Error(`the provider responded with status ${answer.statusCode}`));
        return;
      }
      const parts: Buffer[] = [];
      let size = 0;
      answer.on('data', (part: Buffer) => {
        size += part.length;
        if (size > LARGEST) answer.destroy(new Error('the response is larger than 1 MB'));
        else parts.push(part);
      });
      answer.once('error', reject);
      answer.once('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    });
    asked.once('error', reject);
    asked.end();
  });
}
