import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const COLUMNS = `key_id "keyId", name, prefix, roles, permissions, namespaces, tasker.iso(created_at) "createdAt",
       created_by "createdBy", tasker.iso(expires_at) "expiresAt", tasker.iso(revoked_at) "revokedAt",
       revoked_by "revokedBy", replaced_by "replacedBy", tasker.iso(last_used_at) "lastUsedAt",
       case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired'
            when replaced_by is not null then 'replaced' else 'active' end state`;

/** The record of a key, without its secret. */
export interface ApiKeyRow {
  keyId: string;
  name: string;
  prefix: string;
  roles: string[];
  permissions: string[];
  /** Null means all. */
  namespaces: string[] | null;
  createdAt: string;
  createdBy: string;
  expiresAt: string | null;
  revokedAt: string | null;
  revokedBy: string | null;
  /** The id of the key that replaced it in a rotation. */
  replacedBy: string | null;
  lastUsedAt: string | null;
  /** `replaced` keys work until they expire. */
  state: 'active' | 'replaced' | 'expired' | 'revoked';
}

/** A key to store. */
export interface NewApiKey {
  keyId: string;
  name: string;
  prefix: string;
  hash: Buffer;
  roles: readonly string[];
  permissions: readonly string[];
  namespaces: readonly string[] | null;
  createdBy: string;
  /** Milliseconds until it expires. Null means never. */
  expiresInMs: number | null;
}

const CREATE = sql('create_api_key')`
insert into tasker.api_key (key_id, name, prefix, hash, roles, permissions, namespaces, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9::float8 * interval '1 ms')
returning ${COLUMNS}`;

/** Stores a key. Fails on `api_key_name` if a key that was neither revoked nor replaced has the name. */
export async function createApiKey(db: Db, key: NewApiKey): Promise<ApiKeyRow> {
  const { keyId, name, prefix, hash, roles, permissions, namespaces, createdBy, expiresInMs } = key;
  const values = [keyId, name, prefix, hash, roles, permissions, namespaces, createdBy, expiresInMs];
  return (await db.query<ApiKeyRow>(CREATE, values)).rows[0]!;
}

const LIST = sql('list_api_keys')`
select ${COLUMNS} from tasker.api_key
 where $1 or (revoked_at is null and (expires_at is null or expires_at > now()))
 order by name, created_at, key_id limit 10000`;

/** Returns the keys by name. `all`: includes revoked and expired keys. */
export async function listApiKeys(db: Db, { all }: { all: boolean }): Promise<ApiKeyRow[]> {
  return (await db.query<ApiKeyRow>(LIST, [all])).rows;
}

const NAMED = sql('lock_api_keys')`
select ${COLUMNS} from tasker.api_key
 where key_id::text = $1 or prefix = $1 or (name = $1 and revoked_at is null)
 order by key_id for update`;

/** Locks and returns the keys with this id, prefix or name, except revoked keys with this name. */
export async function lockApiKeys(db: Db, reference: string): Promise<ApiKeyRow[]> {
  return (await db.query<ApiKeyRow>(NAMED, [reference])).rows;
}

const REVOKE = sql('revoke_api_key')`
with ended as (delete from tasker.web_session where key_id = $1)
update tasker.api_key set revoked_at = now(), revoked_by = $2 where key_id = $1 and revoked_at is null
returning ${COLUMNS}`;

/** Revokes a key, and ends its sessions. Undefined if it was already revoked. */
export async function revokeApiKey(db: Db, keyId: string, by: string): Promise<ApiKeyRow | undefined> {
  return (await db.query<ApiKeyRow>(REVOKE, [keyId, by])).rows[0];
}

const REPLACE = sql('replace_api_key')`
update tasker.api_key
   set replaced_by = $2, expires_at = least(expires_at, now() + $3::float8 * interval '1 ms')
 where key_id = $1
returning ${COLUMNS}`;

/** Stores the replacement of a key. The old key works for another `overlapMs`. */
export async function replaceApiKey(
  db: Db,
  { keyId, by, overlapMs }: { keyId: string; by: string; overlapMs: number },
): Promise<ApiKeyRow> {
  return (await db.query<ApiKeyRow>(REPLACE, [keyId, by, overlapMs])).rows[0]!;
}

const FIND = sql('find_api_key')`select ${COLUMNS} from tasker.api_key where hash = $1`;

/** Returns the key with this SHA-256. */
export async function findApiKey(db: Db, hash: Buffer): Promise<ApiKeyRow | undefined> {
  return (await db.query<ApiKeyRow>(FIND, [hash])).rows[0];
}

const ANY = sql('has_api_keys')`select exists (select 1 from tasker.api_key) found`;

/** Returns whether a key was ever created. Includes revoked and expired keys. */
export async function hasApiKeys(db: Db): Promise<boolean> {
  return (await db.query<{ found: boolean }>(ANY)).rows[0]!.found;
}

const TOUCH = sql('touch_api_keys')`
update tasker.api_key set last_used_at = now()
 where key_id = any ($1::uuid[]) and (last_used_at is null or last_used_at < now() - interval '1 minute')`;

/** Stores when keys were last used, at most once a minute for each key. */
export async function touchApiKeys(db: Db, keyIds: readonly string[]): Promise<void> {
  await db.query(TOUCH, [`{${keyIds.join(',')}}`]);
}
