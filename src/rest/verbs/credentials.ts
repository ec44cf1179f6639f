import {
  type ApiKeyRequest,
  createApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
} from '../../app/credentials/api-keys.ts';
import { endBrowserSessions, listBrowserSessions } from '../../app/credentials/web-sessions.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { expandPermissions } from '../../model/permissions.ts';
import { permissionsOfRoles } from '../auth/rights.ts';
import type { Caller } from '../caller.ts';
import type { BodiesOf } from '../verb-routes.ts';

/** The bodies of the verbs for API keys, for the sessions of all browsers, and for the rights of the caller. */
export function credentialVerbs(tasker: Tasker): BodiesOf<'credentials'> {
  return {
    me: (_, { caller }) => rightsOf(caller),
    keys: async ({ all }) => ({ keys: (await listApiKeys(tasker, { all: all === 'true' })).map(shown) }),
    async createKey(given, { caller, operator }) {
      const { name, roles = [], permissions = [], namespaces, expires_in_seconds: seconds } = given;
      refuseMore(caller, { roles, permissions });
      const request = {
        name,
        roles,
        permissions,
        ...(namespaces != null && { namespaces }),
        ...(seconds != null && { expiresInMs: seconds * 1000 }),
      };
      return shown(await createApiKey(tasker, request, operator));
    },
    async rotateKey({ key, overlap_seconds: overlap, expires_in_seconds: seconds }, { caller, operator }) {
      const all = await listApiKeys(tasker, { all: true });
      for (const one of all) if ([one.name, one.prefix, one.keyId].includes(key)) refuseMore(caller, one);
      const created = await rotateApiKey(tasker, key, {
        ...operator,
        overlapMs: overlap * 1000,
        expiresInMs: seconds == null ? undefined : seconds * 1000,
      });
      return shown(created);
    },
    revokeKey: async ({ key }, { operator }) => ({ keys: (await revokeApiKey(tasker, key, operator)).map(shown) }),
    sessions: async ({ subject }) => ({ sessions: await listBrowserSessions(tasker, { subject }) }),
    endSessions: async ({ session }, { operator }) => ({
      sessions: await endBrowserSessions(tasker, session, operator),
    }),
  };
}

/** Returns the rights of a caller. */
export function rightsOf({ subject, credential, roles, permissions, namespaces }: Caller) {
  return {
    authenticated: credential !== undefined,
    subject: subject ?? null,
    credential: credential ?? null,
    roles: [...roles],
    permissions: permissions ? [...permissions] : null,
    namespaces: namespaces ? [...namespaces] : null,
  };
}

/** Returns a key with the names of the API. */
const shown = <Key extends { keyId: string }>({ keyId: id, ...key }: Key) => ({ id, ...key });

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
