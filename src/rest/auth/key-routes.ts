import { OpenAPIHono } from '@hono/zod-openapi';
import {
  type ApiKeyRequest,
  createApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
} from '../../app/credentials/api-keys.ts';
import { apiKeyJson, createdKeyJson } from '../../app/json/credentials.ts';
import type { Tasker } from '../../app/tasker.ts';
import { credentials } from '../../contract/credentials.ts';
import { TaskerError } from '../../errors.ts';
import { expandPermissions } from '../../model/permissions.ts';
import { actorOf, type Caller, callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { permissionsOfRoles } from './rights.ts';

const LIST = describeRoute(credentials.keys);
const CREATE = describeRoute(credentials.createKey);
const ROTATE = describeRoute(credentials.rotateKey);
const REVOKE = describeRoute(credentials.revokeKey);

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
