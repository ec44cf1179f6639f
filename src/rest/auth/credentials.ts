import { timingSafeEqual } from 'node:crypto';
import type { Context } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import { type ApiKey, anyKey, hashOf, keyOf, looksLikeApiKey, noteUse } from '../../engine/credentials/api-keys.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Caller } from '../caller.ts';
import { addressOf } from './address.ts';
import { tooMany, wrongCredentials } from './limits.ts';
import type { RateLimit } from './rate-limit.ts';
import { Recent } from './recent.ts';
import { Refused } from './refuse.ts';
import { callerWith, permissionsOfRoles } from './rights.ts';
import type { Sessions } from './sessions.ts';
import type { AuthSettings } from './settings.ts';
import { looksLikeToken, Tokens } from './tokens.ts';

/** A revoked or expired key may be accepted for this long. */
const FRESH_MS = 2_000;
const MOST_KEYS = 10_000;
/** Maximum number of unknown keys that are looked up at the same time. */
const MOST_NEW = 100;
const USE_MS = 60_000;
const UNKNOWN = 'the server does not accept this credential; `tasker auth key list` shows the valid keys';

interface FixedKeyCaller {
  hash: Buffer;
  caller: Caller;
}

function cacheKey(text: string): string {
  return hashOf(text).toString('base64');
}

/** The parts of {@link Credentials}. */
export interface CredentialsParts {
  settings: AuthSettings;
  sessions: Pick<Sessions, 'callerOf'>;
  logger: Logger;
}

/** Identifies the sender of a request. */
export class Credentials {
  readonly #tasker: Tasker;
  readonly #settings: AuthSettings;
  readonly #logger: Logger;
  readonly #keys = new Recent<ApiKey | undefined>({ freshMs: FRESH_MS, most: MOST_KEYS, mostNew: MOST_NEW });
  readonly #callers = new WeakMap<ApiKey, Caller>();
  readonly #fixed: readonly FixedKeyCaller[];
  readonly #used = new Map<string, number>();
  readonly #exist = new Recent<boolean>({ freshMs: FRESH_MS, most: 1 });
  readonly #sessions: Pick<Sessions, 'callerOf'>;
  readonly #tokens: Tokens | undefined;
  readonly #wrong: RateLimit;
  /** The hashes of credentials that were valid at some time. */
  readonly #right = new Set<string>();
  #required: boolean;

  constructor(tasker: Tasker, { settings, sessions, logger }: CredentialsParts) {
    this.#sessions = sessions;
    this.#wrong = wrongCredentials(settings.wrong);
    this.#tokens = settings.tokens && new Tokens(settings.tokens, logger);
    this.#tasker = tasker;
    this.#settings = settings;
    this.#logger = logger;
    this.#required = settings.required === 'always';
    this.#fixed = settings.fixedKeys.map(({ key, name, permissions }) => ({
      hash: hashOf(key),
      caller: callerWith(
        { subject: `key:${name}`, roles: [], permissions, namespaces: null },
        { credential: 'key', keyId: undefined },
      ),
    }));
  }

  /** Whether requests needed a credential at the last lookup. */
  get wereRequired(): boolean {
    return this.#required;
  }

  /** Returns whether requests need a credential. Once true, stays true until the server ends. */
  async areRequired(): Promise<boolean> {
    if (this.#required || this.#settings.required === 'never') return this.#required;
    const { database } = this.#tasker.engine;
    if (await this.#exist.get('', () => anyKey(database))) {
      this.#required = true;
      this.#logger.info('the database has API keys, so requests need a credential');
    }
    return this.#required;
  }

  /** Returns the caller. @throws Refused; TaskerError `rate_limited` after many wrong credentials of its address */
  async callerOf(c: Context): Promise<Caller> {
    const address = addressOf(c);
    const text = this.#textOf(c);
    if (text === undefined) {
      const caller = await this.#sessions.callerOf(c);
      if (caller) return caller;
      throw new Refused(
        'missing',
        `${c.req.path} needs a credential: send an API key in the header ${this.#settings.keyHeader}; \`tasker auth key create <name>\` creates one`,
      );
    }
    // A credential that was valid before is not limited, because other callers may share its address.
    const hash = cacheKey(text);
    if (this.#right.has(hash) || this.#keys.has(hash)) return this.#ofText(text);
    // The credential is treated as wrong until it is known to be valid. Otherwise concurrent guesses would not be
    // limited.
    const wait = this.#wrong.take(address);
    if (wait > 0) tooMany(c, wait, 'too many wrong credentials from this address');
    let isWrong = false;
    try {
      const caller = await this.#ofText(text);
      if (this.#right.size >= MOST_KEYS) this.#right.clear();
      this.#right.add(hash);
      return caller;
    } catch (error) {
      isWrong = error instanceof Refused;
      throw error;
    } finally {
      if (!isWrong) this.#wrong.giveBack(address);
    }
  }

  /** Returns the key or token of a request. A bearer token takes precedence. @throws Refused if it is malformed */
  #textOf(c: Context): string | undefined {
    const authorization = c.req.header('authorization');
    if (authorization === undefined) return c.req.header(this.#settings.keyHeader);
    const [, token] = /^Bearer +([^\s,]+) *$/i.exec(authorization) ?? [];
    if (token !== undefined) return token;
    throw new Refused('malformed', 'the header authorization must have the form Bearer <key or token>');
  }

  async #ofText(text: string): Promise<Caller> {
    const fixed = this.#ofConfiguration(text);
    if (fixed) return fixed;
    if (this.#tokens && looksLikeToken(text)) return this.#ofToken(this.#tokens, text);
    if (this.#settings.keysEnabled === false || !looksLikeApiKey(text)) throw new Refused('invalid', UNKNOWN);
    const { database } = this.#tasker.engine;
    const key = await this.#keys.get(cacheKey(text), () => keyOf(database, text));
    if (key === undefined || key.state === 'revoked') throw new Refused('invalid', UNKNOWN);
    if (key.state === 'expired') throw new Refused('expired', `key ${key.prefix} has expired; create or rotate one`);
    this.#noteUse(key.keyId);
    let caller = this.#callers.get(key);
    if (!caller) {
      const permissions = [...permissionsOfRoles(key.roles), ...key.permissions];
      const rights = { ...key, permissions, subject: `key:${key.name}` };
      caller = callerWith(rights, { credential: 'key', keyId: key.keyId });
      this.#callers.set(key, caller);
    }
    return caller;
  }

  async #ofToken(tokens: Tokens, text: string): Promise<Caller> {
    const from = performance.now();
    try {
      return await tokens.callerOf(text);
    } finally {
      this.#tasker.instruments.jwtVerification.observe((performance.now() - from) / 1000);
    }
  }

  /** Compares with every key, so that the time does not depend on which one is right. */
  #ofConfiguration(text: string): Caller | undefined {
    if (this.#fixed.length === 0) return undefined;
    const hash = hashOf(text);
    let found: Caller | undefined;
    for (const one of this.#fixed) if (timingSafeEqual(one.hash, hash)) found = one.caller;
    return found;
  }

  /** Writes the last use at most once a minute, without making the request wait. */
  #noteUse(keyId: string): void {
    const now = performance.now();
    if (now - (this.#used.get(keyId) ?? Number.NEGATIVE_INFINITY) < USE_MS) return;
    if (this.#used.size >= MOST_KEYS) this.#used.clear();
    this.#used.set(keyId, now);
    noteUse(this.#tasker.engine.database, [keyId]).catch((error: unknown) => {
      this.#used.delete(keyId);
      this.#logger.warn({ error: messageOf(error) }, 'the last use of an API key was not stored');
    });
  }
}
