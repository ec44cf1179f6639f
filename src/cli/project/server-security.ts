import { readFileSync } from 'node:fs';
import { listApiKeys } from '../../app/credentials/api-keys.ts';
import type { Tasker } from '../../app/tasker.ts';
import type { TaskerConfig } from '../../config/config-keys.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { LOCAL_SECURITY, type SecuritySettings } from '../../rest/auth/settings.ts';
import type { TokenSettings } from '../../rest/auth/tokens.ts';
import { isLoopback } from '../../server/bind-address.ts';
import type { TlsFiles } from '../../server/listen.ts';

/**
 * Returns the settings of a server's security. Beyond loopback, requests need a credential.
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
      '--insecure contradicts orchestration.web.auth.enabled = true in the configuration; leave out one of them',
    );
  }
  const tokens = tokensFrom(config);
  const always = config.authEnabled || exposed || config.apiKeys.length > 0 || tokens !== undefined;
  return {
    auth: {
      ...LOCAL_SECURITY.auth,
      required: insecure ? 'never' : always ? 'always' : 'with_keys',
      keyHeader: config.apiKeyHeader,
      fixedKeys: config.apiKeys.map(({ key, permissions, description }, index) => ({
        key,
        permissions,
        name: description ?? `configured ${index + 1}`,
      })),
      tokens,
    },
    exposed,
    corsOrigins: config.corsOrigins,
    tls,
    requestsPerSecond: config.requestsPerSecond,
  };
}

/** @throws TaskerError `config_invalid` if the key of tokens is missing or cannot be read */
function tokensFrom(config: TaskerConfig): TokenSettings | undefined {
  const same = {
    issuer: config.jwtIssuer,
    audience: config.jwtAudience,
    algorithms: config.jwtAlgorithms,
    strict: config.jwtStrict,
  };
  if (config.jwtVerification === 'jwks') {
    const { jwksUrl: url, jwksRefreshMs: refreshMs, jwksMaxStaleMs: maxStaleMs, jwksAllowHttp: allowHttp } = config;
    if (url === undefined) throw invalid('jwks_url', 'is missing, which jwt_verification_method = "jwks" needs');
    if (!allowHttp && !url.startsWith('https:')) throw invalid('jwks_url', 'must be an https URL');
    return { ...same, keys: { url, refreshMs, maxStaleMs, allowHttp } };
  }
  const pem = config.jwtPublicKey ?? readPem(config.jwtPublicKeyPath);
  return pem === undefined ? undefined : { ...same, keys: { pem } };
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
 * Reads the certificate of `--tls-cert` and the key of `--tls-key`. Undefined without them.
 * @throws TaskerError `config_invalid`
 */
export function readTls({ tlsCert, tlsKey }: { tlsCert?: string; tlsKey?: string }): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new TaskerError('config_invalid', '--tls-cert and --tls-key belong together; pass both, or none');
  }
  const read = (option: string, path: string): Buffer => {
    try {
      return readFileSync(path);
    } catch (error) {
      throw new TaskerError('config_invalid', `${option} ${path} cannot be read: ${messageOf(error)}`);
    }
  };
  return { cert: read('--tls-cert', tlsCert), key: read('--tls-key', tlsKey) };
}

/**
 * Refuses to serve other machines if no credential can work, and warns if they need none.
 * @throws TaskerError `config_invalid`
 */
export async function checkSecurity(
  tasker: Tasker,
  { auth, exposed }: SecuritySettings,
  { bind, logger }: { bind: string; logger: Logger },
): Promise<void> {
  if (auth.required === 'never') {
    if (exposed) logger.warn('--insecure: every machine that reaches this address can read and change all tasks');
    return;
  }
  if (auth.required !== 'always' || auth.fixedKeys.length > 0 || auth.tokens) return;
  if ((await listApiKeys(tasker, { all: false })).length > 0) return;
  if (exposed) {
    throw new TaskerError(
      'config_invalid',
      `--bind ${bind}: other machines can reach this address, but no API key exists; create one with \`tasker auth key create <name> --role admin\`, or pass --insecure to let every machine in`,
    );
  }
  logger.warn('requests need a credential, but there is no API key; `tasker auth key create <name>` creates one');
}
