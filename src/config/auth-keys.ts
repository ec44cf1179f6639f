import { z } from 'zod';
import { isPermission } from '../model/permissions.ts';
import { flag, seconds, type ValueForm, whole, word } from './value-forms.ts';

/** An API key of the configuration file. */
export interface ConfiguredKey {
  key: string;
  permissions: string[];
  description?: string | undefined;
}

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'] as const;

/** An algorithm that a token may be signed with. */
export type TokenAlgorithm = (typeof ALGORITHMS)[number];

const apiKeys: ValueForm<ConfiguredKey[]> = {
  schema: z
    .array(
      z.strictObject({
        key: z.string().min(16),
        permissions: z.array(z.string().refine(isPermission)).min(1),
        description: z.string().optional(),
      }),
    )
    .refine((list) => new Set(list.map(({ key }) => key)).size === list.length),
  words: 'a list of different keys: tables with a key of at least 16 characters and a list of permissions',
  shown: (list) => list.map((one) => ({ ...one, key: '***' })),
};
const headerName: ValueForm<string> = {
  schema: z.string().regex(/^[!#$%&'*+.^_`|~\w-]+$/),
  words: 'the name of a header',
};
const algorithms: ValueForm<TokenAlgorithm[]> = {
  schema: z.array(z.enum(ALGORITHMS)).min(1),
  words: `a list of ${ALGORITHMS.join(', ')}`,
};
const verification: ValueForm<'public_key' | 'jwks'> = {
  schema: z.enum(['public_key', 'jwks']),
  words: 'public_key or jwks',
};
const optionalWord: ValueForm<string | undefined> = {
  schema: z
    .string()
    .trim()
    .transform((text) => text || undefined),
  words: 'a string',
};
const httpUrl: ValueForm<string | undefined> = {
  schema: z
    .string()
    .refine((text) => text === '' || (/^https?:\/\//.test(text) && URL.canParse(text)))
    .transform((text) => text || undefined),
  words: 'an https URL',
};
const origins: ValueForm<string[]> = {
  schema: z.array(z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text)),
  words: 'a list of origins such as https://desk.example.com',
  ofText: (text) => text.split(',').filter((part) => part.trim() !== ''),
};
const file: ValueForm<string | undefined> = { ...optionalWord, words: 'the path of a file' };

/** The settings of the security of `tasker server`. */
export const AUTH_KEYS = {
  /** Whether the server requires a credential on a loopback address, even if there is no API key. */
  authEnabled: {
    path: 'orchestration.web.auth.enabled',
    form: flag,
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
    form: flag,
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
    form: optionalWord,
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
    form: flag,
    byDefault: false,
    about: 'Allows http and private addresses for `jwks_url`, for tests and identity providers in the same network.',
  },
  jwksRefreshMs: {
    path: 'orchestration.web.auth.jwks_refresh_interval_seconds',
    form: seconds(1_000),
    byDefault: 3_600_000,
    about: 'Time after which the key set is loaded again.',
  },
  jwksMaxStaleMs: {
    path: 'orchestration.web.auth.jwks_max_stale_seconds',
    form: seconds(0),
    byDefault: 300_000,
    about: 'How long an older key set is used while its provider does not respond.',
  },
  jwtIssuer: {
    path: 'orchestration.web.auth.jwt_issuer',
    form: word,
    byDefault: 'tasker-core',
    about: 'The issuer that tokens must name in `iss`.',
  },
  jwtAudience: {
    path: 'orchestration.web.auth.jwt_audience',
    form: word,
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
    form: word,
    byDefault: 'permissions',
    about: 'The claim of tokens that lists permissions.',
  },
  jwtStrict: {
    path: 'orchestration.web.auth.strict_validation',
    form: flag,
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
    form: flag as ValueForm<boolean | undefined>,
    byDefault: undefined as boolean | undefined,
    defaultWords: '`true` on other addresses than loopback',
    about:
      'Whether the metrics of `tasker server` and `tasker worker` need a credential with `system:analytics_read`. `false` makes them public. Metrics name namespaces, templates and handlers. A server that needs no credential has public metrics.',
  },
  requestsPerSecond: {
    path: 'orchestration.web.rate_limiting.requests_per_second',
    form: whole(0, 1_000_000),
    byDefault: 0,
    defaultWords: '`0`: unlimited',
    about:
      'Maximum number of requests per second with one credential, or from one address without a credential; 0 means unlimited.',
  },
};
