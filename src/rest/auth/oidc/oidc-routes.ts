import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { orNull } from '../../../contract/schemas/or-null.ts';
import { isTaskerError, messageOf, TaskerError } from '../../../errors.ts';
import type { Logger } from '../../../logging/logger.ts';
import { describeRoute } from '../../route.ts';
import { addressOf } from '../address.ts';
import { tooMany } from '../limits.ts';
import { REASON_HEADER, Refused, refuse } from '../refuse.ts';
import type { Guards } from '../security.ts';
import type { OidcLogin, Pending } from './oidc-login.ts';
import { returnAddress } from './return-address.ts';

const ProviderSchema = z.object({ name: z.string(), login_url: z.string() }).openapi('LoginProvider');
const PROVIDERS = describeRoute({
  method: 'get',
  tolerant: true,
  path: '/v1/auth/providers',
  on: 'installation',
  permission: 'public',
  summary: 'Returns the ways to log in besides an API key',
  gives: z.object({ oidc: orNull(ProviderSchema) }).openapi('LoginProviders'),
});
/** Not in the API document: browsers navigate to these addresses. They need no credential. */
const LOGIN_PATH = '/v1/auth/oidc/login';
const CALLBACK_PATH = '/v1/auth/oidc/callback';

const PREFIX = 'tasker_login_';
const PENDING_SECONDS = 600;
/** Each login in progress has a cookie, so that two tabs can log in. More cookies would make requests too large. */
const MOST_PENDING = 5;
const LONGEST_RETURN = 500;
/**
 * A cookie with the reason for a failed login. The web page shows the reason on its login screen, and removes the
 * cookie.
 */
const FAILURE_COOKIE = 'tasker_login_failure';
const FAILURE_SECONDS = 60;
const PendingSchema = z.object({ state: z.string(), nonce: z.string(), verifier: z.string(), to: z.string() });

/** Routes for logging in with an identity provider. */
export function oidcRoutes({ oidc, sessions, wrong }: Guards, logger: Logger): OpenAPIHono {
  const cookies = new PendingCookies((c) => sessions.isSecure(c));
  const configured = (): OidcLogin => {
    if (oidc) return oidc;
    throw new TaskerError(
      'not_found',
      'no identity provider is configured; set orchestration.web.auth.oidc to configure one',
    );
  };
  const app = new OpenAPIHono().openapi(PROVIDERS, (c) => {
    if (!oidc) return c.json({ oidc: null }, 200);
    const { name, publicUrl } = oidc.settings;
    return c.json({ oidc: { name, login_url: `${publicUrl}${LOGIN_PATH}` } }, 200);
  });
  app.get(LOGIN_PATH, async (c) => {
    const login = configured();
    const begun = await login.begin().catch((error: unknown) => {
      if (isForPerson(c)) return messageOf(error);
      throw error;
    });
    if (typeof begun === 'string') return backToLogin(c, begun, login);
    const { url, pending } = begun;
    const to = c.req.query('return_to') ?? '/';
    cookies.set(c, { ...pending, to: to.length > LONGEST_RETURN ? '/' : to });
    return c.redirect(url.href);
  });
  app.get(CALLBACK_PATH, async (c) => {
    const login = configured();
    const address = addressOf(c);
    const wait = wrong.take(address);
    if (wait > 0) tooMany(c, wait, 'too many failed logins from this address');
    try {
      const pending = cookies.take(c);
      const caller = await login.finish(new URL(c.req.url).search, pending);
      await sessions.begin(c, caller);
      wrong.giveBack(address);
      logger.info({ subject: caller.subject, roles: caller.roles, address }, 'login');
      // The path is checked here, because it was read from a cookie.
      return c.redirect(returnAddress(pending.to, login.settings.publicUrl));
    } catch (error) {
      const isRefusal = error instanceof Refused;
      if (!isRefusal) wrong.giveBack(address);
      if (isForPerson(c)) {
        if (isRefusal) c.header(REASON_HEADER, error.reason);
        else if (!isTaskerError(error)) throw error;
        return backToLogin(c, messageOf(error), login);
      }
      if (isRefusal) return refuse(c, error.reason, error.message);
      throw error;
    }
  });
  const backToLogin = (c: Context, message: string, { settings }: OidcLogin) => {
    // The reason is in a cookie. If it were in the URL, a link could make the page show any text.
    setCookie(c, FAILURE_COOKIE, message, {
      maxAge: FAILURE_SECONDS,
      path: '/',
      sameSite: 'Lax',
      secure: sessions.isSecure(c),
    });
    return c.redirect(`${settings.publicUrl}/`);
  };
  return app;
}

/** Returns whether the response is shown to a person, who cannot use JSON. */
function isForPerson(c: Context): boolean {
  return (c.req.header('accept') ?? '').includes('text/html');
}

/**
 * Keeps the data of a login in cookies until the browser returns, so that any server of the installation can finish the
 * login.
 */
class PendingCookies {
  readonly #isSecure: (c: Context) => boolean;

  constructor(isSecure: (c: Context) => boolean) {
    this.#isSecure = isSecure;
  }

  set(c: Context, pending: Pending & { to: string }): void {
    const others = Object.keys(getCookie(c)).filter((name) => name.includes(PREFIX));
    if (others.length >= MOST_PENDING) for (const name of others) this.#write(c, name, '');
    const value = Buffer.from(JSON.stringify(pending)).toString('base64url');
    this.#write(c, this.#name(c, pending.state), value);
  }

  /**
   * Returns the login that the query belongs to, and deletes its cookie. @throws Refused if another browser began it
   */
  take(c: Context): Pending & { to: string } {
    const name = this.#name(c, c.req.query('state') ?? '');
    const text = getCookie(c, name);
    if (text === undefined) {
      throw new Refused('expired', 'the login began in another browser or took too long; log in again');
    }
    this.#write(c, name, '');
    try {
      return PendingSchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    } catch {
      throw new Refused('malformed', 'the cookie of the login is not valid; log in again');
    }
  }

  #name(c: Context, state: string): string {
    const id = /^[\w-]{8}/.exec(state)?.[0] ?? 'none';
    return `${this.#isSecure(c) ? '__Host-' : ''}${PREFIX}${id}`;
  }

  /** Lax, because the browser returns from another site. The cookie grants no rights. */
  #write(c: Context, name: string, value: string): void {
    const secure = this.#isSecure(c);
    const maxAge = value === '' ? 0 : PENDING_SECONDS;
    setCookie(c, name, value, { httpOnly: true, sameSite: 'Lax', path: '/', secure, maxAge });
  }
}
