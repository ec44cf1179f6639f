import { z } from 'zod';
import { closedObject } from './schemas/closed-object.ts';
import { CreatedSchema, KeySchema, ListedSessionSchema, MeSchema } from './schemas/keys.ts';
import { NAMES } from './schemas/names.ts';
import { ActBody } from './schemas/operator.ts';
import { verb } from './verb.ts';

const PERMISSION = 'auth:manage' as const;

const ListSchema = z.object({ keys: z.array(KeySchema) }).register(NAMES, { id: 'ApiKeyList' });

const seconds = z.number().positive().max(3_153_600_000).nullish();

const reason = z.string().min(1).max(4000).nullish();

const act = { reason, by: z.string().min(1).max(200).nullish() };

const RequestSchema = closedObject({
  name: z.string(),
  roles: z.array(z.string()).optional(),
  permissions: z.array(z.string()).optional(),
  namespaces: z.array(z.string()).nullish().meta({ description: 'Missing or null: all.' }),
  expires_in_seconds: seconds,
  ...act,
}).register(NAMES, { id: 'ApiKeyRequest' });

const Reference = z.object({ key: z.string().min(1).max(200) });

const RotateSchema = closedObject({
  overlap_seconds: z.number().min(0).max(31_536_000).default(86_400),
  expires_in_seconds: seconds,
  ...act,
}).register(NAMES, { id: 'ApiKeyRotation' });

const ActSchema = closedObject(act).register(NAMES, { id: 'ApiKeyAct' });

const text = z.string().min(1).max(500);

const SessionsSchema = z
  .object({ sessions: z.array(ListedSessionSchema) })
  .register(NAMES, { id: 'BrowserSessionList' });

/** The verbs for credentials. */
export const credentials = {
  keys: verb({
    method: 'get',
    path: '/v1/auth/keys',
    on: 'installation',
    permission: PERMISSION,
    summary: 'Lists API keys by name',
    takes: { query: z.object({ all: z.enum(['true', 'false']).default('false') }) },
    gives: ListSchema,
  }),
  createKey: verb({
    method: 'post',
    path: '/v1/auth/keys',
    on: 'installation',
    permission: PERMISSION,
    summary: 'Creates an API key',
    takes: { body: RequestSchema },
    gives: CreatedSchema,
    status: 201,
    errors: [409],
  }),
  rotateKey: verb({
    method: 'post',
    path: '/v1/auth/keys/{key}/rotate',
    on: 'installation',
    permission: PERMISSION,
    summary: 'Replaces an API key with a new one that has the same rights',
    takes: { path: Reference, body: RotateSchema },
    gives: CreatedSchema,
    status: 201,
    errors: [404, 409],
  }),
  revokeKey: verb({
    method: 'post',
    path: '/v1/auth/keys/{key}/revoke',
    on: 'installation',
    permission: PERMISSION,
    summary: 'Revokes the API keys with this name, prefix or id',
    takes: { path: Reference, body: ActSchema },
    gives: ListSchema,
    errors: [404],
  }),
  sessions: verb({
    method: 'get',
    path: '/v1/auth/sessions',
    on: 'installation',
    permission: 'auth:manage',
    summary: 'Lists the browser sessions that have not ended, newest first',
    takes: { query: z.object({ subject: text.optional() }) },
    gives: SessionsSchema,
  }),
  endSessions: verb({
    method: 'delete',
    path: '/v1/auth/sessions/{session}',
    on: 'installation',
    permission: 'auth:manage',
    summary: 'Ends the session with this id, or all sessions of this subject',
    description: 'Servers may accept a session for two more seconds.',
    takes: { path: z.object({ session: text }), optionalBody: ActBody },
    gives: SessionsSchema,
    errors: [404],
  }),
  me: verb({
    method: 'get',
    path: '/v1/me',
    on: 'visible',
    permission: 'authenticated',
    summary: 'Returns the caller of the request, and its rights',
    gives: MeSchema,
  }),
};
