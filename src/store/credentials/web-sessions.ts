import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** The rights of a browser session. */
export interface WebSessionRow {
  subject: string;
  roles: string[];
  permissions: string[];
  /** Null means all. */
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

/** Stores a session. Returns its expiry, which is no later than that of its key. */
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

/** A session in a list, without its secret. */
export interface ListedSessionRow extends WebSessionRow {
  /** The first 16 hexadecimal digits of the hash. */
  id: string;
  /**
   * The prefix of the key that it was started with. Null if it began with a token, a key of the configuration or a
   * login.
   */
  keyPrefix: string | null;
  createdAt: string;
}

const LISTED = `encode(substring(s.hash from 1 for 8), 'hex') id, s.subject, s.roles, s.permissions, s.namespaces,
       k.prefix "keyPrefix", tasker.iso(s.created_at) "createdAt", tasker.iso(s.expires_at) "expiresAt"`;

const LIST = sql('list_web_sessions')`
select ${LISTED}
  from tasker.web_session s left join tasker.api_key k on k.key_id = s.key_id
 where s.expires_at > now() and ($1::text is null or s.subject = $1)
   and (s.key_id is null or (k.revoked_at is null and (k.expires_at is null or k.expires_at > now())))
 order by s.created_at desc, s.hash limit 10000`;

/** Returns the sessions that have not ended, the newest first. `subject`: only those of this subject. */
export async function listWebSessions(db: Db, { subject }: { subject: string | null }): Promise<ListedSessionRow[]> {
  return (await db.query<ListedSessionRow>(LIST, [subject])).rows;
}

const END_SEVERAL = sql('end_web_sessions')`
with ended as (
  delete from tasker.web_session where (hash between $1 and $2 or subject = $3) and expires_at > now() returning *)
select ${LISTED}
  from ended s left join tasker.api_key k on k.key_id = s.key_id
 order by s.created_at desc, s.hash`;

/** Ends the sessions with hashes in a range, and those of a subject. Returns them. */
export async function endWebSessions(
  db: Db,
  { from, to, subject }: { from: Buffer | null; to: Buffer | null; subject: string },
): Promise<ListedSessionRow[]> {
  return (await db.query<ListedSessionRow>(END_SEVERAL, [from, to, subject])).rows;
}

const END = sql('end_web_session')`delete from tasker.web_session where hash = $1`;

/** Ends a session. */
export async function endWebSession(db: Db, hash: Buffer): Promise<void> {
  await db.query(END, [hash]);
}
