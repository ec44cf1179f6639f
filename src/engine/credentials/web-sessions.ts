import { randomBytes } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import {
  beginWebSession,
  endWebSession,
  findWebSession,
  type NewWebSession,
  type WebSessionRow,
} from '../../store/credentials/web-sessions.ts';
import { hashOf } from './api-keys.ts';

/** The rights of a session. */
export type WebSession = WebSessionRow;

/** Begins a session of a browser. `token` is the secret of its cookie, which is stored as a hash only. */
export async function beginSession(
  database: Database,
  session: Omit<NewWebSession, 'hash'>,
): Promise<{ token: string; expiresAt: string }> {
  const token = randomBytes(32).toString('base64url');
  return { token, expiresAt: await beginWebSession(database, { ...session, hash: hashOf(token) }) };
}

/** Returns the session of a cookie. Undefined if it, or the key that it began with, has ended. */
export function sessionOf(database: Database, token: string): Promise<WebSession | undefined> {
  return findWebSession(database, hashOf(token));
}

/** Ends a session. */
export function endSession(database: Database, token: string): Promise<void> {
  return endWebSession(database, hashOf(token));
}
