import { isPermission } from '../model/permissions.ts';
import { listOfTables } from './toml/table-forms.ts';
import * as forms from './value-forms.ts';

/** An API key of the configuration file. */
export interface ConfiguredKey {
  key: string;
  permissions: string[];
  description?: string | undefined;
}

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'] as const;

/** An algorithm that a token may be signed with. */
export type TokenAlgorithm = (typeof ALGORITHMS)[number];

const keys = listOfTables<ConfiguredKey>({
  fields: {
    key: forms.fitting(({ length }) => length >= 16, '', { minLength: 16 }),
    permissions: forms.listOf(forms.fitting(isPermission), '', 1),
    description: forms.fitting(() => true),
  },
  required: ['key', 'permissions'],
  words: 'a list of different keys: tables with a key of at least 16 characters and a list of permissions',
});
const apiKeys: forms.ValueForm<ConfiguredKey[]> = {
  ...forms.refined(keys, (list) => (new Set(list.map(({ key }) => key)).size === list.length ? list : forms.WRONG)),
  shown: (list) => list.map((one) => ({ ...one, key: '***' })),
};
const headerName = forms.matching(/^[!#$%&'*+.^_`|~\w-]+$/, 'the name of a header');
const algorithms = forms.listOf(forms.oneOf(ALGORITHMS), `a list of ${ALGORITHMS.join(', ')}`, 1);
const verification = forms.oneOf(['public_key', 'jwks'], 'public_key or jwks');
const httpUrl = forms.fittingOrEmpty((given) => /^https?:\/\//.test(given) && URL.canParse(given), 'an https URL');
const origins: forms.ValueForm<string[]> = {
  ...forms.listOf(
    forms.fitting((given) => URL.canParse(given) && new URL(given).origin === given),
    'a list of origins such as https://desk.example.com',
  ),
  ofText: (given) => given.split(',').filter((part) => part.trim() !== ''),
};
const file: forms.ValueForm<string | undefined> = { ...forms.optionalText, words: 'the path of a file' };

/** The settings of the security of `tasker server`. */
export const AUTH_KEYS = {
  /** Whether the server requires a credential on a loopback address, even if there is no API key. */
  authEnabled: {
    path: 'orchestration.web.auth.enabled',
    form: forms.flag,
    byDefault: false,
    about:
      'Whether `tasker server` always requires a credential. Regardless of this setting, it requires one on other addresses than loopback, and once an API key has been created.',
  },
  /** The header for API keys. */
  apiKeyHeader: {
    path: 'orchestration.web.auth.api_key_header',
    form: headerName,
    byDefault: 'X-API-Key',
    about: 'The header for API keys, besides `Authorization: Bearer`.',
  },
  /** API keys besides the keys of `tasker auth key create`. */
  apiKeys: {
    path: 'orchestration.web.auth.api_keys',
    form: apiKeys,
    byDefault: [] as ConfiguredKey[],
    defaultWords: 'none',
    secret: true as const,
    about:
      'API keys besides those of `tasker auth key create`: tables with `key`, `permissions` and a `description`, under which their actions are recorded.',
  },
  apiKeysEnabled: {
    path: 'orchestration.web.auth.api_keys_enabled',
    form: forms.flag,
    byDefault: true,
    about: 'Whether API keys are accepted. `false` rejects the keys of this file and of `tasker auth key create`.',
  },
  jwtVerification: {
    path: 'orchestration.web.auth.jwt_verification_method',
    form: verification,
    byDefault: 'public_key' as 'public_key' | 'jwks',
    about: 'The source of the public keys of tokens: `public_key` or `jwks`.',
  },
  /** The public key of tokens (PEM). */
  jwtPublicKey: {
    path: 'orchestration.web.auth.jwt_public_key',
    variables: ['TASKER_JWT_PUBLIC_KEY'],
    form: forms.optionalText,
    byDefault: undefined as string | undefined,
    defaultWords: 'none',
    about: 'The public key of tokens, as PEM.',
  },
  jwtPublicKeyPath: {
    path: 'orchestration.web.auth.jwt_public_key_path',
    variables: ['TASKER_JWT_PUBLIC_KEY_PATH'],
    form: file,
    byDefault: undefined as string | undefined,
    defaultWords: 'none',
    isPath: true as const,
    about: 'The file with the public key of tokens.',
  },
  jwksUrl: {
    path: 'orchestration.web.auth.jwks_url',
    form: httpUrl,
    byDefault: undefined as string | undefined,
    defaultWords: 'none',
    secret: true as const,
    about: 'The URL of the JSON Web Key Set (JWKS) that verifies tokens. It must not lead to a private address.',
  },
  jwksAllowHttp: {
    path: 'orchestration.web.auth.jwks_url_allow_http',
    form: forms.flag,
    byDefault: false,
    about: 'Allows http and private addresses for `jwks_url`, for tests and identity providers in the same network.',
  },
  jwksRefreshMs: {
    path: 'orchestration.web.auth.jwks_refresh_interval_seconds',
    form: forms.seconds(1_000),
    byDefault: 3_600_000,
    about: 'Time after which the key set is loaded again.',
  },
  jwksMaxStaleMs: {
    path: 'orchestration.web.auth.jwks_max_stale_seconds',
    form: forms.seconds(0),
    byDefault: 300_000,
    about: 'How long an older key set is used while its provider does not respond.',
  },
  jwtIssuer: {
    path: 'orchestration.web.auth.jwt_issuer',
    form: forms.word,
    byDefault: 'tasker-core',
    about: 'The issuer that tokens must name in `iss`.',
  },
  jwtAudience: {
    path: 'orchestration.web.auth.jwt_audience',
    form: forms.word,
    byDefault: 'tasker-api',
    about: 'The audience that tokens must name in `aud`.',
  },
  jwtAlgorithms: {
    path: 'orchestration.web.auth.jwt_allowed_algorithms',
    form: algorithms,
    byDefault: ['RS256'] as TokenAlgorithm[],
    about: 'The algorithms that tokens may be signed with.',
  },
  permissionsClaim: {
    path: 'orchestration.web.auth.permissions_claim',
    form: forms.word,
    byDefault: 'permissions',
    about: 'The claim of tokens that lists permissions.',
  },
  jwtStrict: {
    path: 'orchestration.web.auth.strict_validation',
    form: forms.flag,
    byDefault: true,
    about: 'Whether a token with an unknown permission is rejected. If not, the permission is ignored.',
  },
  /** Origins of web pages that may use the API. */
  corsOrigins: {
    path: 'orchestration.web.cors.allowed_origins',
    form: origins,
    byDefault: [] as string[],
    defaultWords: 'none',
    about: 'Origins of web pages on other hosts that may use the API, such as `https://desk.example.com`.',
  },
  metricsNeedCredential: {
    path: 'orchestration.web.metrics_need_credential',
    form: forms.flag,
    byDefault: false,
    about:
      'Whether `/metrics` and `/metrics/events` of `tasker server` need a credential with `system:analytics_read` if other requests do. Metrics name namespaces, templates and handlers.',
  },
  requestsPerSecond: {
    path: 'orchestration.web.rate_limiting.requests_per_second',
    form: forms.whole(0, 1_000_000),
    byDefault: 0,
    defaultWords: '`0`: unlimited',
    about:
      'Maximum number of requests per second with one credential, or from one address without a credential; 0 means unlimited.',
  },
};
