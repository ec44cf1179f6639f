import { z } from 'zod';
import { NAMES } from './names.ts';

export const time = z.string().nullable();
export const KeySchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    prefix: z.string(),
    state: z.enum(['active', 'replaced', 'expired', 'revoked']),
    roles: z.array(z.string()),
    permissions: z.array(z.string()),
    namespaces: z.array(z.string()).nullable().meta({ description: 'Null means all.' }),
    created_at: z.string(),
    created_by: z.string(),
    expires_at: time,
    last_used_at: time,
    revoked_at: time,
    revoked_by: z.string().nullable(),
  })
  .register(NAMES, { id: 'ApiKey' });

export const CreatedSchema = KeySchema.extend({
  key: z.string().meta({ description: 'The key itself. It cannot be shown again.' }),
}).register(NAMES, { id: 'CreatedApiKey' });

export const MeSchema = z
  .object({
    authenticated: z.boolean().meta({ description: 'False if the server needs no credential.' }),
    subject: z.string().nullable(),
    credential: z.enum(['key', 'token', 'session']).nullable(),
    roles: z.array(z.string()),
    permissions: z.array(z.string()).nullable().meta({ description: 'Null means all.' }),
    namespaces: z.array(z.string()).nullable().meta({ description: 'Null means all.' }),
  })
  .register(NAMES, { id: 'Me' });

export const SessionSchema = MeSchema.extend({ expires_at: z.string() }).register(NAMES, { id: 'Session' });

export const ListedSessionSchema = z
  .object({
    id: z.string().meta({ description: 'The id of the session. It is not the secret in the cookie.' }),
    subject: z.string(),
    roles: z.array(z.string()),
    permissions: z.array(z.string()),
    namespaces: z.array(z.string()).nullable().meta({ description: 'Null means all.' }),
    key_prefix: z.string().nullable().meta({
      description:
        'Prefix of the API key that started the session. Null means a token, a key of the configuration, or a login.',
    }),
    created_at: z.string(),
    expires_at: z.string(),
  })
  .register(NAMES, { id: 'BrowserSessionInfo' });
