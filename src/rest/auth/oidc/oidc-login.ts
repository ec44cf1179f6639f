import type { Configuration } from 'openid-client';
import { messageOf, TaskerError } from '../../../errors.ts';
import type { Logger } from '../../../logging/logger.ts';
import type { Caller } from '../../caller.ts';
import { Recent } from '../recent.ts';
import { Refused } from '../refuse.ts';
import { type ClaimRules, callerOfClaims, claimAt } from './claims.ts';

/** The identity provider that people log in with. */
export interface OidcSettings extends ClaimRules {
  issuer: string;
  name: string;
  clientId: string;
  clientSecret: string | undefined;
  scopes: readonly string[];
  /** The URL of this server for browsers, without a slash at the end. */
  publicUrl: string;
  /** Allows a provider without TLS. */
  allowHttp: boolean;
}

/** The values to keep between the start and the end of a login. */
export interface Pending {
  state: string;
  nonce: string;
  verifier: string;
}

const TIMEOUT_SECONDS = 10;
/** The clocks of the provider and of this machine may differ by this much. */
const TOLERANCE_SECONDS = 30;
const FRESH_MS = 60_000;

/** @throws TaskerError `config_invalid` if the optional package is not installed */
export async function openidClient(): Promise<typeof import('openid-client')> {
  try {
    return await import('openid-client');
  } catch (error) {
    throw new TaskerError(
      'config_invalid',
      'orchestration.web.auth.oidc needs the optional package openid-client; run npm install openid-client',
      { cause: error },
    );
  }
}

/** Logs people in with an identity provider: authorization code with PKCE, state and nonce. */
export class OidcLogin {
  readonly settings: OidcSettings;
  readonly #logger: Logger;
  readonly #provider = new Recent<Configuration>({ freshMs: FRESH_MS, most: 1 });

  constructor(settings: OidcSettings, logger: Logger) {
    this.settings = settings;
    this.#logger = logger;
  }

  get #redirectUri(): string {
    return `${this.settings.publicUrl}/v1/auth/oidc/callback`;
  }

  /**
   * Begins a login. Returns the address at the provider, and the data that {@link finish} needs. @throws TaskerError
   * `not_ready`
   */
  async begin(): Promise<{ url: URL; pending: Pending }> {
    const oidc = await openidClient();
    const provider = await this.#provider.get('', () => this.#discover());
    const pending = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() };
    const url = oidc.buildAuthorizationUrl(provider, {
      redirect_uri: this.#redirectUri,
      scope: this.settings.scopes.join(' '),
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
    });
    return { url, pending };
  }

  /**
   * Exchanges the code in the query with which the provider redirected the browser. Returns the person.
   * @throws Refused; TaskerError `not_ready` if the provider does not respond
   */
  async finish(query: string, pending: Pending): Promise<Caller> {
    // Loaded for each login, because the keys may have changed since the last.
    const provider = await this.#discover();
    const claims = await this.#claims(provider, query, pending).catch((error: unknown) => {
      throw this.#refusal(error);
    });
    return callerOfClaims(claims, this.settings);
  }

  async #claims(provider: Configuration, query: string, pending: Pending): Promise<Record<string, unknown>> {
    const oidc = await openidClient();
    const url = new URL(this.#redirectUri);
    url.search = query;
    const answer = await oidc.authorizationCodeGrant(provider, url, {
      expectedState: pending.state,
      expectedNonce: pending.nonce,
      pkceCodeVerifier: pending.verifier,
      idTokenExpected: true,
    });
    const claims: Record<string, unknown> = { ...answer.claims()! };
    const { subjectClaim, rolesClaim, namespacesClaim } = this.settings;
    const wanted = [subjectClaim, rolesClaim, ...(namespacesClaim === undefined ? [] : [namespacesClaim])];
    const isComplete = wanted.every((name) => claimAt(claims, name) !== undefined);
    if (isComplete || provider.serverMetadata().userinfo_endpoint === undefined) return claims;
    // Some providers list groups only in the user info.
    const more = await oidc.fetchUserInfo(provider, answer.access_token, claims.sub as string);
    return { ...more, ...claims };
  }

  async #discover(): Promise<Configuration> {
    const oidc = await openidClient();
    const { issuer, clientId, clientSecret, allowHttp } = this.settings;
    const proof = clientSecret === undefined ? oidc.None() : oidc.ClientSecretBasic(clientSecret);
    // Without the first option, the library would not check the signature of the id token, because it arrives over TLS.
    const execute = [oidc.enableNonRepudiationChecks, ...(allowHttp ? [oidc.allowInsecureRequests] : [])];
    const metadata = { [oidc.clockTolerance]: TOLERANCE_SECONDS };
    try {
      return await oidc.discovery(new URL(issuer), clientId, metadata, proof, { execute, timeout: TIMEOUT_SECONDS });
    } catch (error) {
      this.#warn(error);
      throw unreachable(error);
    }
  }

  /** Logs the details instead of returning them, because they would help an attacker who forges responses. */
  #refusal(error: unknown): Error {
    this.#warn(error);
    const { code, error: said } = error as { code?: string; error?: string };
    if (said === 'access_denied') return new Refused('forbidden', 'the identity provider rejected the login');
    if (code === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED') {
      return new Refused('expired', 'the identity provider sent an expired token; log in again, or compare the clocks');
    }
    const isAway = error instanceof TypeError && error.message === 'fetch failed';
    if (isAway || code === 'OAUTH_TIMEOUT' || code === 'OAUTH_RESPONSE_IS_NOT_CONFORM') return unreachable(error);
    return new Refused('invalid', 'the login is not valid, or was used before; log in again');
  }

  #warn(error: unknown): void {
    const { code, error: said, cause } = error as { code?: string; error?: string; cause?: unknown };
    const why = cause instanceof Error ? cause.message : undefined;
    this.#logger.warn({ issuer: this.settings.issuer, code, said, error: messageOf(error), why }, 'login failed');
  }
}

function unreachable(cause: unknown): TaskerError {
  return new TaskerError('not_ready', 'the identity provider does not respond; see the log of the server', { cause });
}
