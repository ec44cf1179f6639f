import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import type { Tasker } from '../../app/tasker.ts';
import { hashOf } from '../../engine/credentials/api-keys.ts';
import { beginSession, endSession, sessionOf, type WebSession } from '../../engine/credentials/web-sessions.ts';
import { TaskerError } from '../../errors.ts';
import { isLoopback } from '../../server/bind-address.ts';
import type { Caller } from '../caller.ts';
import { Recent } from './recent.ts';
import { Refused } from './refuse.ts';
import { callerWith } from './rights.ts';

const SESSION_MS = 12 * 3_600_000;
const FRESH_MS = 2_000;
const MOST = 10_000;
/** Maximum number of unknown cookies that are looked up at the same time. */
const MOST_NEW = 100;
const FORM = /^[\w-]{43}$/;
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);
/** A page must send this header with every change, because a form cannot. */
export const CSRF_HEADER = 'x-tasker-csrf';

/** Browser sessions, with a cookie that scripts cannot read and other sites cannot send. */
export class Sessions {
  readonly #tasker: Tasker;
  readonly #tls: boolean;
  readonly #found = new Recent<WebSession | undefined>({ freshMs: FRESH_MS, most: MOST, mostNew: MOST_NEW });

  constructor(tasker: Tasker, { tls }: { tls: boolean }) {
    this.#tasker = tasker;
    this.#tls = tls;
  }

  /**
   * Begins a session with the rights of a credential, and sets its cookie. Returns the time at which the session
   * expires.
   */
  async begin(c: Context, caller: Caller): Promise<string> {
    const { subject, roles, permissions, namespaces, keyId, expiresAtMs } = caller;
    if (subject === undefined || permissions === undefined) {
      throw new TaskerError(
        'bad_request',
        'the server needs no credential, so a login is not possible; send requests without one',
      );
    }
    if (caller.credential === 'session') {
      throw new TaskerError('bad_request', 'a session cannot begin another one; send an API key or a token');
    }
    const leftMs = (expiresAtMs ?? Number.POSITIVE_INFINITY) - Date.now();
    const rights = { subject, roles, permissions, namespaces: namespaces ?? null, keyId: keyId ?? null };
    const expiresInMs = Math.max(1, Math.min(SESSION_MS, leftMs));
    const { token, expiresAt } = await beginSession(this.#tasker.engine.database, { ...rights, expiresInMs });
    this.#setCookie(c, token, Math.ceil(expiresInMs / 1000));
    return expiresAt;
  }

  /** Ends the session of the cookie, if there is one. */
  async end(c: Context): Promise<void> {
    const token = this.#token(c);
    if (token === undefined) return;
    await endSession(this.#tasker.engine.database, token);
    this.#found.forget(keyOf(token));
    this.#setCookie(c, '', 0);
  }

  /** Returns the caller of the cookie. Undefined without one. @throws Refused */
  async callerOf(c: Context): Promise<Caller | undefined> {
    const token = this.#token(c);
    if (token === undefined) return undefined;
    refuseOtherSites(c);
    const { database } = this.#tasker.engine;
    const session = await this.#found.get(keyOf(token), () => sessionOf(database, token));
    if (!session) throw new Refused('expired', 'the session has ended; log in again');
    return callerWith(session, { credential: 'session', keyId: undefined });
  }

  #token(c: Context): string | undefined {
    const token = getCookie(c, this.#name(c));
    return token !== undefined && FORM.test(token) ? token : undefined;
  }

  /** The prefix prevents other hosts of the same domain from setting the cookie. It works only with https. */
  #name(c: Context): string {
    return this.isSecure(c) ? '__Host-tasker_session' : 'tasker_session';
  }

  /** The cookie may be sent without TLS only on this machine. */
  isSecure(c: Context): boolean {
    return this.#tls || !isLoopback(new URL(c.req.url).hostname);
  }

  #setCookie(c: Context, token: string, maxAge: number): void {
    const secure = this.isSecure(c);
    setCookie(c, this.#name(c), token, { httpOnly: true, sameSite: 'Strict', path: '/', secure, maxAge });
  }
}

function keyOf(token: string): string {
  return hashOf(token).toString('base64');
}

/**
 * The browser sends the cookie automatically, so the request must come from a page of this server. The `Origin` and
 * fetch-metadata headers must prove that, and a change needs a header that a form cannot send.
 */
function refuseOtherSites(c: Context): void {
  const origin = c.req.header('origin');
  const own = new URL(c.req.url).host;
  if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === own)) {
    throw new Refused('forbidden', `a session cannot be used by pages of ${origin}`);
  }
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new Refused('forbidden', 'a session cannot be used by pages of other sites');
  }
  if (!SAFE.has(c.req.method) && c.req.header(CSRF_HEADER) === undefined) {
    throw new Refused('forbidden', `changes in a session need the header ${CSRF_HEADER}, with any value`);
  }
}
