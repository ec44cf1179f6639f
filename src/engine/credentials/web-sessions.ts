import { randomBytes } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { TaskerError } from '../../errors.ts';
import { isStorableText } from '../../model/json.ts';
import { noteAct } from '../../store/audit.ts';
import {
  beginWebSession,
  endWebSession,
  endWebSessions,
  findWebSession,
  type ListedSessionRow,
  listWebSessions,
  type NewWebSession,
  type WebSessionRow,
} from '../../store/credentials/web-sessions.ts';
import { type OperatorOptions, operatorOf } from '../operator-actions.ts';
import { hashOf } from './api-keys.ts';

/** The rights of a session. */
export type WebSession = WebSessionRow;

/** A session in a list, without its secret. */
export type ListedSession = ListedSessionRow;

const SETTINGS = opening({ lock_timeout: '5s', statement_timeout: '30s', idle_in_transaction_session_timeout: '30s' });
const ID = /^[0-9a-f]{16}$/;
const HASH_BYTES = 32;

/** Starts a browser session. `token` is the secret in its cookie. Only its hash is stored. */
export async function beginSession(
  database: Database,
  session: Omit<NewWebSession, 'hash'>,
): Promise<{ token: string; expiresAt: string }> {
  const token = randomBytes(32).toString('base64url');
  return { token, expiresAt: await beginWebSession(database, { ...session, hash: hashOf(token) }) };
}

/**
 * Returns the session of a cookie. Undefined if the session has ended, or the key that it was started with no longer
 * works.
 */
export function sessionOf(database: Database, token: string): Promise<WebSession | undefined> {
  return findWebSession(database, hashOf(token));
}

/** Ends a session. */
export function endSession(database: Database, token: string): Promise<void> {
  return endWebSession(database, hashOf(token));
}

/** Returns the sessions that have not ended, the newest first. `subject`: only those of this subject. */
export function listSessions(
  database: Database,
  { subject }: { subject?: string | undefined },
): Promise<ListedSession[]> {
  return listWebSessions(database, { subject: subject === undefined ? null : checkReference(subject) });
}

/**
 * Ends the session with an id, or all sessions of a subject. Servers may accept these sessions for two more seconds.
 * @throws TaskerError `credential_not_found` if no session matches
 */
export async function endSessions(
  database: Database,
  reference: string,
  options: OperatorOptions,
): Promise<ListedSession[]> {
  const operator = operatorOf(options);
  const subject = checkReference(reference);
  return database.transaction(SETTINGS, async (tx) => {
    const ended = await endWebSessions(tx, { ...hashesOf(reference), subject });
    if (ended.length === 0) {
      const hint = '`tasker auth session list` shows all sessions, with their ids and subjects';
      throw new TaskerError('credential_not_found', `session ${reference} not found; ${hint}`);
    }
    for (const one of ended) {
      await noteAct(tx, { action: 'end_session', target: `session ${one.id} of ${one.subject}` }, operator);
    }
    return ended;
  });
}

/** Returns the first and the last hash that an id covers. Null if the string is not an id. */
function hashesOf(reference: string): { from: Buffer | null; to: Buffer | null } {
  if (!ID.test(reference)) return { from: null, to: null };
  const id = Buffer.from(reference, 'hex');
  const filled = (byte: number) => Buffer.concat([id, Buffer.alloc(HASH_BYTES - id.length, byte)]);
  return { from: filled(0x00), to: filled(0xff) };
}

function checkReference(reference: string): string {
  if (typeof reference === 'string' && reference !== '' && isStorableText(reference)) return reference;
  throw new TaskerError('bad_request', 'pass the id or the subject of a session');
}
