import { createApiKey, revokeApiKey } from '../../../src/app/credentials/api-keys.ts';
import { beginSession } from '../../../src/engine/credentials/web-sessions.ts';
import type { World } from '../../support/rest/world.ts';
import { ACT, type Row, type Table } from './row.ts';

/** Requests for API keys and sessions. */
export async function credentialRows({ tasker }: World): Promise<Table> {
  const actor = { actor: 'ana' };
  const { key } = await createApiKey(tasker, { name: 'caller', permissions: ['tasks:read'] }, actor);
  for (const name of ['old', 'ended']) await createApiKey(tasker, { name, permissions: ['tasks:read'] }, actor);
  const ended = await revokeApiKey(tasker, 'ended', actor);
  const rights = { roles: ['viewer'], permissions: ['tasks:read'], namespaces: ['test'], keyId: null };
  for (const subject of ['ana', 'ana', 'bea', 'kim/é']) {
    await beginSession(tasker.engine.database, { ...rights, subject, expiresInMs: 3_600_000 });
  }
  const caller: Row = { secured: true, headers: { 'x-api-key': key } };
  const request = {
    ...ACT,
    name: 'robot',
    permissions: ['tasks:read'],
    namespaces: ['test'],
    expires_in_seconds: 3600,
  };
  const old: Row = { params: { key: 'old' }, body: ACT };
  return {
    postSession: { ok: [caller], 400: [{}] },
    deleteSession: { ok: [{}, caller] },
    getMe: { ok: [{}, caller] },
    getAuthKeys: { ok: [{}, { query: 'all=true' }], 400: [{ query: 'all=maybe' }] },
    postAuthKeys: {
      ok: [{ body: request }, { body: { name: 'admin', roles: ['admin'] } }],
      400: [
        { body: {} },
        { body: { ...request, permissions: ['odd'] } },
        { body: { ...request, expires_in_seconds: 0 } },
      ],
      409: [{ body: { ...request, name: 'caller' } }],
    },
    postAuthKeyRotate: {
      ok: [{ params: { key: 'old' }, body: { ...ACT, overlap_seconds: 60, expires_in_seconds: 3600 } }],
      400: [{ params: { key: 'old' }, body: { overlap_seconds: -1 } }],
      409: [{ params: { key: ended[0]!.prefix }, body: ACT }],
    },
    getAuthSessions: { ok: [{}, { query: 'subject=ana' }], 400: [{ query: 'subject=' }] },
    deleteAuthSession: {
      ok: [{ params: { session: 'ana' }, body: ACT }, { params: { session: 'kim%2F%C3%A9' } }],
      400: [{ params: { session: 'bea' }, body: { by: 7 } }],
    },
    postAuthKeyRevoke: { ok: [old], 400: [{ ...old, body: { by: 7 } }] },
  };
}
