import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** The rights of a session of a browser. */
export interface WebSessionRow {
  subject: string;
  roles: string[];
  permissions: string[];
  /** Null: all. */
  namespaces: string[] | null;
  expiresAt: string;
}

/** A session to store. */
export interface NewWebSession {
  hash: Buffer;
  /** The key that it began with, if any. */
  keyId: string | null;
  subject: string;
  roles: readonly string[];
  permissions: readonly string[];
  namespaces: readonly string[] | null;
  expiresInMs: number;
}

// Expired sessions are deleted when the next session begins.
const BEGIN = sql('begin_web_session')`
with gone as (
  delete from tasker.web_session where hash = any (array(
    select hash from tasker.web_session where expires_at <= now() order by expires_at limit 1000 for update skip locked)))
insert into tasker.web_session (hash, key_id, subject, roles, permissions, namespaces, expires_at)
values ($1, $2, $3, $4, $5, $6, least(now() + $7::float8 * interval '1 ms',
  (select expires_at from tasker.api_key where key_id = $2)))
returning tasker.iso(expires_at) "expiresAt"`;

/** Stores a session. Returns when it expires, which is no later than its key. */
export async function beginWebSession(db: Db, session: NewWebSession): Promise<string> {
  const { hash, keyId, subject, roles, permissions, namespaces, expiresInMs } = session;
  const values = [hash, keyId, subject, roles, permissions, namespaces, expiresInMs];
  return (await db.query<{ expiresAt: string }>(BEGIN, values)).rows[0]!.expiresAt;
}

// The key may have been revoked, or rotated with an earlier expiry, since the session began.
const FIND = sql('find_web_session')`
select s.subject, s.roles, s.permissions, s.namespaces, tasker.iso(s.expires_at) "expiresAt"
  from tasker.web_session s left join tasker.api_key k on k.key_id = s.key_id
 where s.hash = $1 and s.expires_at > now()
   and (s.key_id is null or (k.revoked_at is null and (k.expires_at is null or k.expires_at > now())))`;

/** Returns the session with this SHA-256, unless it or its key has ended. */
export async function findWebSession(db: Db, hash: Buffer): Promise<WebSessionRow | undefined> {
  return (await db.query<WebSessionRow>(FIND, [hash])).rows[0];
}

const END = sql('end_web_session')`delete from tasker.web_session where hash = $1`;

/** Ends a session. */
export async function endWebSession(db: Db, hash: Buffer): Promise<void> {
  await db.query(END, [hash]);
}
