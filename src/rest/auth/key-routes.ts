import { OpenAPIHono, z } from '@hono/zod-openapi';
import {
  type ApiKeyRequest,
  createApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
} from '../../app/credentials/api-keys.ts';
import { apiKeyJson, createdKeyJson } from '../../app/json/credentials.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { expandPermissions } from '../../model/permissions.ts';
import { actorOf, type Caller, callerOf } from '../caller.ts';
import { closedObject } from '../closed-object.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute, jsonBody } from '../route.ts';
import { CreatedSchema, KeySchema } from '../schemas/key-schemas.ts';
import { permissionsOfRoles } from './rights.ts';

const ListSchema = z.object({ keys: z.array(KeySchema) }).openapi('ApiKeyList');

const reason = z.string().min(1).max(4000).nullish();
const seconds = z.number().positive().max(3_153_600_000).nullish();
const Reference = z.object({ key: z.string().min(1).max(200) });
const act = { reason, by: z.string().min(1).max(200).nullish() };
const RequestSchema = closedObject({
  name: z.string(),
  roles: z.array(z.string()).optional(),
  permissions: z.array(z.string()).optional(),
  namespaces: z.array(z.string()).nullish().openapi({ description: 'Missing or null: all.' }),
  expires_in_seconds: seconds,
  ...act,
}).openapi('ApiKeyRequest');
const ActSchema = closedObject(act).openapi('ApiKeyAct');
const RotateSchema = closedObject({
  overlap_seconds: z.number().min(0).max(31_536_000).default(86_400),
  expires_in_seconds: seconds,
  ...act,
}).openapi('ApiKeyRotation');

const PERMISSION = 'auth:manage' as const;
const LIST = describeRoute({
  method: 'get',
  path: '/v1/auth/keys',
  permission: PERMISSION,
  summary: 'Lists API keys by name',
  request: { query: z.object({ all: z.enum(['true', 'false']).default('false') }) },
  answer: ListSchema,
});
const CREATE = describeRoute({
  method: 'post',
  path: '/v1/auth/keys',
  permission: PERMISSION,
  summary: 'Creates an API key',
  request: jsonBody(RequestSchema),
  answer: CreatedSchema,
  status: 201,
  errors: [409],
});
const ROTATE = describeRoute({
  method: 'post',
  path: '/v1/auth/keys/{key}/rotate',
  permission: PERMISSION,
  summary: 'Replaces an API key with a new one that has the same rights',
  request: { params: Reference, ...jsonBody(RotateSchema) },
  answer: CreatedSchema,
  status: 201,
  errors: [404, 409],
});
const REVOKE = describeRoute({
  method: 'post',
  path: '/v1/auth/keys/{key}/revoke',
  permission: PERMISSION,
  summary: 'Revokes the API keys with this name, prefix or id',
  request: { params: Reference, ...jsonBody(ActSchema) },
  answer: ListSchema,
  errors: [404],
});

/** Rejects rights that the caller does not have, because it could grant them to itself. */
function refuseMore(
  caller: Caller,
  { roles = [], permissions = [] }: Pick<ApiKeyRequest, 'roles' | 'permissions'>,
): void {
  const wanted = expandPermissions([...permissions, ...permissionsOfRoles(roles)]);
  const missing = [...wanted].filter((permission) => !caller.allows(permission));
  if (missing.length === 0) return;
  throw new TaskerError(
    'forbidden',
    `${caller.subject} cannot grant a key permissions that it does not have: ${missing.join(', ')}`,
  );
}

/** Routes for API keys. */
export function keyRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(LIST, async (c) => {
      const keys = await listApiKeys(tasker, { all: c.req.valid('query').all === 'true' });
      return c.json({ keys: keys.map(apiKeyJson) }, 200);
    })
    .openapi(CREATE, async (c) => {
      const {
        name,
        roles = [],
        permissions = [],
        namespaces,
        expires_in_seconds: seconds,
        ...act
      } = c.req.valid('json');
      const caller = callerOf(c);
      refuseMore(caller, { roles, permissions });
      const request = {
        name,
        roles,
        permissions,
        ...(namespaces != null && { namespaces }),
        ...(seconds != null && { expiresInMs: seconds * 1000 }),
      };
      return c.json(createdKeyJson(await createApiKey(tasker, request, actorOf(caller, act))), 201);
    })
    .openapi(ROTATE, async (c) => {
      const { overlap_seconds: overlap, expires_in_seconds: seconds, ...act } = c.req.valid('json');
      const caller = callerOf(c);
      const { key } = c.req.valid('param');
      const all = await listApiKeys(tasker, { all: true });
      for (const one of all) if ([one.name, one.prefix, one.keyId].includes(key)) refuseMore(caller, one);
      const created = await rotateApiKey(tasker, key, {
        ...actorOf(caller, act),
        overlapMs: overlap * 1000,
        expiresInMs: seconds == null ? undefined : seconds * 1000,
      });
      return c.json(createdKeyJson(created), 201);
    })
    .openapi(REVOKE, async (c) => {
      const keys = await revokeApiKey(tasker, c.req.valid('param').key, actorOf(callerOf(c), c.req.valid('json')));
      return c.json({ keys: keys.map(apiKeyJson) }, 200);
    });
}
