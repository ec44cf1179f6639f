import { readFileSync } from 'node:fs';
import { listApiKeys } from '../../app/credentials/api-keys.ts';
import type { Tasker } from '../../app/tasker.ts';
import type { TaskerConfig } from '../../config/config-keys.ts';
import type { LoadedConfig } from '../../config/load-config.ts';
import { shownConfig } from '../../config/show/show-config.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { type OidcSettings, openidClient } from '../../rest/auth/oidc/oidc-login.ts';
import { LOCAL_SECURITY, type SecuritySettings } from '../../rest/auth/settings.ts';
import type { TokenSettings } from '../../rest/auth/tokens.ts';
import type { ServedConfig } from '../../rest/by-hand/process-routes.ts';
import { isLoopback } from '../../server/bind-address.ts';
import type { TlsFiles } from '../../server/listen.ts';

/**
 * Returns the settings of a server's security. On other addresses than loopback, requests need a credential.
 * @throws TaskerError `config_invalid` if `--insecure` contradicts the configuration
 */
export function securityFrom(
  config: TaskerConfig,
  { host, insecure, tls }: { host: string; insecure: boolean; tls: boolean },
): SecuritySettings {
  const exposed = !isLoopback(host);
  if (insecure && config.authEnabled) {
    throw new TaskerError(
      'config_invalid',
      '--insecure contradicts orchestration.web.auth.enabled = true in the configuration; remove one of them',
    );
  }
  const tokens = tokensFrom(config);
  const oidc = oidcFrom(config);
  const fixed = config.apiKeysEnabled ? config.apiKeys : [];
  const hasOther = fixed.length > 0 || tokens !== undefined || oidc !== undefined || !config.apiKeysEnabled;
  const always = config.authEnabled || exposed || hasOther;
  return {
    auth: {
      ...LOCAL_SECURITY.auth,
      required: insecure ? 'never' : always ? 'always' : 'with_keys',
      keyHeader: config.apiKeyHeader,
      keysEnabled: config.apiKeysEnabled,
      fixedKeys: fixed.map(({ key, permissions, description }, index) => ({
        key,
        permissions,
        name: description ?? `configured ${index + 1}`,
      })),
      tokens,
      oidc: insecure ? undefined : oidc,
    },
    exposed,
    corsOrigins: config.corsOrigins,
    tls,
    metricsNeedCredential: config.metricsNeedCredential ?? exposed,
    requestsPerSecond: config.requestsPerSecond,
  };
}

/** @throws TaskerError `config_invalid` if the key that verifies tokens is missing or cannot be read */
function tokensFrom(config: TaskerConfig): TokenSettings | undefined {
  const same = {
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    algorithms: config.jwtAlgorithms,
    permissionsClaim: config.permissionsClaim,
    strict: config.jwtStrict,
  };
  if (config.jwtVerification === 'jwks') {
    const { jwksUrl: url, jwksRefreshMs: refreshMs, jwksMaxStaleMs: maxStaleMs, jwksAllowHttp: allowHttp } = config;
    if (url === undefined) throw invalid('jwks_url', 'is missing; jwt_verification_method = "jwks" requires it');
    if (!allowHttp && !url.startsWith('https:')) throw invalid('jwks_url', 'must be an https URL');
    return { ...same, keys: { url, refreshMs, maxStaleMs, allowHttp } };
  }
  const pem = config.jwtPublicKey ?? readPem(config.jwtPublicKeyPath);
  return pem === undefined ? undefined : { ...same, keys: { pem } };
}

/** @throws TaskerError `config_invalid` if a setting is missing */
function oidcFrom(config: TaskerConfig): OidcSettings | undefined {
  const { oidcIssuer: issuer, oidcClientId: clientId, publicUrl, oidcAllowHttp: allowHttp } = config;
  if (issuer === undefined) return undefined;
  if (!allowHttp && !issuer.startsWith('https:')) throw invalid('oidc.issuer', 'must be an https URL');
  if (clientId === undefined) throw invalid('oidc.client_id', 'is missing; the login with OIDC requires it');
  if (publicUrl === undefined) {
    throw new TaskerError(
      'config_invalid',
      'orchestration.web.public_url is missing; the login with OIDC requires it: the URL of this server for browsers',
    );
  }
  return {
    issuer,
    clientId,
    publicUrl,
    allowHttp,
    name: config.oidcName ?? new URL(issuer).host,
    clientSecret: config.oidcClientSecret,
    scopes: config.oidcScopes,
    subjectClaim: config.oidcSubjectClaim,
    rolesClaim: config.oidcRolesClaim,
    roles: config.oidcRoles,
    namespacesClaim: config.oidcNamespacesClaim,
    sessionMs: config.oidcSessionMs,
  };
}

function readPem(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid('jwt_public_key_path', `cannot be read: ${messageOf(error)}`);
  }
}

function invalid(key: string, why: string): TaskerError {
  return new TaskerError('config_invalid', `orchestration.web.auth.${key} ${why}`);
}

/**
 * Reads the certificate and the key from `--tls-cert` and `--tls-key`, otherwise from the configuration. Undefined if
 * neither is set.
 * @throws TaskerError `config_invalid`
 */
export function readTls(options: { tlsCert?: string; tlsKey?: string }, config: TaskerConfig): TlsFiles | undefined {
  const given = options.tlsCert === undefined && options.tlsKey === undefined ? config : options;
  const { tlsCert, tlsKey } = given;
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  const [cert, key] =
    given === options
      ? ['--tls-cert', '--tls-key']
      : ['orchestration.web.tls.cert_path', 'orchestration.web.tls.key_path'];
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new TaskerError('config_invalid', `${cert} and ${key} must be set together; set both, or neither`);
  }
  const read = (option: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw new TaskerError('config_invalid', `${option} ${path} cannot be read: ${messageOf(error)}`);
    }
  };
  return { cert: read(cert!, tlsCert), key: read(key!, tlsKey) };
}

/** Returns the settings that `GET /config` shows. Undefined if that route is disabled. */
export function servedConfig(loaded: LoadedConfig, { auth }: SecuritySettings): ServedConfig | undefined {
  const { config } = loaded;
  if (!config.serverConfigEndpoint) return undefined;
  return {
    auth: {
      verification_method: auth.tokens ? config.jwtVerification : 'none',
      jwt_issuer: config.jwtIssuer,
      jwt_audience: config.jwtAudience,
      api_key_header: auth.keyHeader,
      api_key_count: auth.fixedKeys.length,
      strict_validation: config.jwtStrict,
      allowed_algorithms: config.jwtAlgorithms,
    },
    configuration: () => shownConfig(loaded, config.environment),
  };
}

/**
 * Refuses to serve other machines if no credential can be valid, and warns if they need none.
 * @throws TaskerError `config_invalid`
 */
export async function checkSecurity(
  tasker: Tasker,
  { auth, exposed }: SecuritySettings,
  { address, logger }: { address: string; logger: Logger },
): Promise<void> {
  if (auth.required === 'never') {
    if (exposed) logger.warn('--insecure: every machine that reaches this address can read and change all tasks');
    return;
  }
  if (auth.oidc) await openidClient();
  if (auth.required !== 'always' || auth.fixedKeys.length > 0 || auth.tokens || auth.oidc) return;
  if (auth.keysEnabled === false) {
    throw invalid('api_keys_enabled', '= false leaves no way to authenticate; configure tokens, or remove it');
  }
  if ((await listApiKeys(tasker, { all: false })).length > 0) return;
  if (exposed) {
    throw new TaskerError(
      'config_invalid',
      `${address}: other machines can reach this address, but no API key exists; create one with \`tasker auth key create <name> --role admin\`, or pass --insecure to serve requests without a credential`,
    );
  }
  logger.warn('requests need a credential, but no API key exists; `tasker auth key create <name>` creates one');
}
