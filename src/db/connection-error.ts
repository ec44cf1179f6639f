import { hiddenUrl } from '../config/show/show-config.ts';
import { messageOf, TaskerError } from '../errors.ts';

/** SQLSTATE classes that say "this connection or server is going away", not "this statement is wrong". */
const AWAY = /^(08|57P0[1-5]|53300|58)/;

interface Coded {
  code?: unknown;
}

/** The five characters of an SQL error, or undefined for anything else. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as Coded | null)?.code;
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Whether trying again on another connection, perhaps later, is the right answer. */
export function isConnectionError(error: unknown): boolean {
  if (error instanceof TaskerError) return error.code === 'record_in_doubt' || error.code === 'database_unreachable';
  const state = sqlState(error);
  if (state) return AWAY.test(state);
  if (!(error instanceof Error)) return false;
  const code = (error as Coded).code;
  return (
    (typeof code === 'string' && /^(E[A-Z]+)$/.test(code)) ||
    /connection|not queryable|timeout|terminated/i.test(error.message)
  );
}

/** The URL without its secrets, for messages and logs. */
export function redactUrl(url: string): string {
  return URL.canParse(url) ? hiddenUrl(url) : 'the given database URL';
}

/**
 * Refuses an address that is no PostgreSQL URL before the driver makes a database name of it. The address is not shown:
 * where its password stands can't be told.
 * @throws TaskerError `database_unreachable`
 */
export function checkScheme(url: string): void {
  if (/^(postgres(ql)?|socket):/.test(url)) return;
  throw new TaskerError(
    'database_unreachable',
    'the database URL is no PostgreSQL URL; it looks like postgres://user:password@host:5432/database',
  );
}

/** What a failed first connection means, and what to do. */
export function refusedConnection(url: string, error: unknown): TaskerError {
  const said = messageOf(error) || String((error as Coded | null)?.code);
  return new TaskerError('database_unreachable', `${redactUrl(url)}: ${said}; ${wayOut(error)}`, { cause: error });
}

/** What the driver says when it has none to give. */
const NO_PASSWORD = /^SASL: .*password must be a /;

function wayOut(error: unknown): string {
  const state = sqlState(error);
  const code = (error as Coded | null)?.code;
  if (state === '28P01' || state === '28000') return 'the server refused user or password; check both in DATABASE_URL';
  if (NO_PASSWORD.test(messageOf(error))) return 'the server wants a password; put it into DATABASE_URL';
  if (state === '3D000') return 'the database does not exist; create it or correct the name in DATABASE_URL';
  if (code === 'ENOTFOUND') return 'the host name is unknown; check it in DATABASE_URL';
  if (code === 'ECONNREFUSED' || code === 'ENOENT')
    return 'nothing listens there; start PostgreSQL, or unset DATABASE_URL to use the embedded server (not in production)';
  return 'check DATABASE_URL and that the server is up';
}

/** What a process was doing when its connection went away. */
const ON_SOCKETS = new Set([undefined, 'connect', 'read', 'write']);

/**
 * What a connection that was lost while a process starts means, and what to do. Anything else is answered as it is: the
 * start reads files, too.
 */
export function lostAtStart(place: string, error: unknown): unknown {
  const { syscall } = (error ?? {}) as { syscall?: string };
  if (error instanceof TaskerError || !isConnectionError(error) || !ON_SOCKETS.has(syscall)) return error;
  return new TaskerError(
    'database_unreachable',
    `${place}: the connection was lost during the start (${messageOf(error)}); start again when the server is up`,
    { cause: error },
  );
}

/** A pooler that gives each transaction another session loses prepared statements, unless it knows them itself. */
export function lostStatement(error: unknown): unknown {
  if (!/^(42P05|26000)$/.test(sqlState(error) ?? '')) return error;
  return new TaskerError(
    'database_error',
    `${messageOf(error)}: the database is reached through a pooler that does not keep prepared statements; with pgbouncer (1.21 or later) set max_prepared_statements to 200, or let DATABASE_URL lead to the server itself`,
    { cause: error },
  );
}
