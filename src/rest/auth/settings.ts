import type { OidcSettings } from './oidc/oidc-login.ts';
import type { TokenSettings } from './tokens.ts';

/** The settings of a server's security. */
export interface SecuritySettings {
  auth: AuthSettings;
  /** Whether other machines can reach the server. */
  exposed: boolean;
  /** The origins of web pages on other hosts that may use the API. Default: none. */
  corsOrigins: readonly string[];
  /** Whether the server itself uses TLS. */
  tls: boolean;
  /** Whether metrics also need a credential if requests do. Default false. */
  metricsNeedCredential?: boolean;
  /** Maximum number of requests per second with one credential. 0 means unlimited. */
  requestsPerSecond: number;
}

/** The settings of authentication. */
export interface AuthSettings {
  /**
   * When a credential is required. `always`; `with_keys`: as soon as the database has an API key; `never`: only with
   * `--insecure`.
   */
  required: 'always' | 'with_keys' | 'never';
  /** The header for API keys, besides `Authorization: Bearer`. Default `X-API-Key`. */
  keyHeader: string;
  /** If false, no API key is accepted. Default true. */
  keysEnabled?: boolean;
  /** Keys of the configuration. */
  fixedKeys: readonly FixedKey[];
  /**
   * Maximum number of wrong credentials of an address that are looked up: in a burst, and per second after that.
   * Default 500 and 50.
   */
  wrong: { burst: number; perSecond: number };
  /** If undefined, no tokens are accepted. */
  tokens?: TokenSettings | undefined;
  /** If undefined, login with an identity provider is disabled. */
  oidc?: OidcSettings | undefined;
}

/** An API key of the configuration. */
export interface FixedKey {
  key: string;
  /** Actions with this key are recorded under `key:` and this name. */
  name: string;
  permissions: readonly string[];
}

/** The settings of a server on a loopback address without configuration. */
export const LOCAL_SECURITY: SecuritySettings = {
  auth: { required: 'with_keys', keyHeader: 'X-API-Key', fixedKeys: [], wrong: { burst: 500, perSecond: 50 } },
  exposed: false,
  corsOrigins: [],
  tls: false,
  requestsPerSecond: 0,
};
