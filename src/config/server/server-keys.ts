import { AUTH_KEYS } from '../auth-keys.ts';
import * as forms from '../value-forms.ts';
import { OIDC_KEYS } from './oidc-keys.ts';

const file: forms.ValueForm<string> = { ...forms.word, words: 'the path of a file' };

/** The settings of `tasker server`. Times in milliseconds. */
export const SERVER_KEYS = {
  /** The worker's port has the same variable, so the variable sets the port of whichever program is started. */
  serverAddress: {
    path: 'orchestration.web.bind_address',
    variables: ['TASKER_WEB_BIND_ADDRESS'],
    form: forms.address,
    byDefault: { host: '127.0.0.1', port: 8080 } as forms.ListenAddress,
    defaultWords: '`127.0.0.1:8080`',
    about:
      'The address on which `tasker server` listens. On other addresses than loopback, requests need a credential.',
  },
  serverRequestMs: {
    path: 'orchestration.web.request_timeout_ms',
    form: forms.milliseconds(100),
    byDefault: 30_000,
    about:
      'How long `tasker server` works on a request before it returns 408. Bulk creations and streams may take longer.',
  },
  serverConfigEndpoint: {
    path: 'orchestration.web.config_endpoint_enabled',
    form: forms.flag,
    byDefault: false,
    about: 'Whether `tasker server` serves `GET /config`, with secrets hidden.',
  },
  legacyStatus: {
    path: 'orchestration.web.legacy_status',
    form: forms.flag,
    byDefault: false,
    about:
      'Whether the responses suit clients of the original system: a created task has the status 200 instead of 201, and waiting tasks and steps are shown as `steps_in_process` and `in_progress`.',
  },
  serverPoolSize: {
    path: 'orchestration.web.database_pools.web_api_max_connections',
    form: forms.whole(2, 10_000) as forms.ValueForm<number | undefined>,
    byDefault: undefined as number | undefined,
    defaultWords: '`common.database.pool.max_connections`',
    about: 'Maximum number of connections of `tasker server` to the database.',
  },
  tlsCert: {
    path: 'orchestration.web.tls.cert_path',
    form: file as forms.ValueForm<string | undefined>,
    byDefault: undefined as string | undefined,
    defaultWords: 'none: http',
    isPath: true as const,
    about: 'The certificate of `tasker server` (PEM), to serve https.',
  },
  tlsKey: {
    path: 'orchestration.web.tls.key_path',
    form: file as forms.ValueForm<string | undefined>,
    byDefault: undefined as string | undefined,
    defaultWords: 'none',
    isPath: true as const,
    about: 'The private key of the certificate (PEM).',
  },
  ...AUTH_KEYS,
  ...OIDC_KEYS,
};
