import { hiddenUrl, hostsOf } from '../config/database-hosts.ts';
import { messageOf, TaskerError } from '../errors.ts';

/**
 * The SQLSTATEs of a lost connection, or of a server that is shutting down or lacks resources, as opposed to those of a
 * wrong statement.
 */
const UNREACHABLE = /^(08|57P0[1-5]|53300|58)/;

interface Coded {
  code?: unknown;
}

/** Returns the SQLSTATE of an error, or undefined if it has none. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as Coded | null)?.code;
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Returns whether a statement, or a transaction, failed because it waited too long for a lock. */
export function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === '55P03';
}

/**
 * Returns whether the server canceled a statement because of its timeout. If the statement is the COMMIT of a
 * transaction that writes, the outcome is in doubt. A transaction that only reads has taken too long.
 */
export function isStatementTimeout(error: unknown): boolean {
  const isInDoubt = error instanceof TaskerError && error.code === 'record_in_doubt';
  return sqlState(isInDoubt ? error.cause : error) === '57014';
}

/**
 * Returns whether the server rolled a transaction back because of a concurrent one, which happens if its transactions are
 * serializable by default. The same transaction can succeed when it is repeated.
 */
export function isSerializationFailure(error: unknown): boolean {
  return sqlState(error) === '40001';
}

/** Returns whether a retry on another connection, perhaps later, can succeed. */
export function isConnectionError(error: unknown): boolean {
  if (error instanceof TaskerError) return error.code === 'record_in_doubt' || error.code === 'database_unreachable';
  const state = sqlState(error);
  if (state) return UNREACHABLE.test(state);
  if (!(error instanceof Error)) return false;
  const code = (error as Coded).code;
  return (
    (typeof code === 'string' && /^(E[A-Z]+)$/.test(code)) ||
    /connection|not queryable|timeout|terminated/i.test(error.message)
  );
}

/** Returns whether the same transaction may succeed later: after a lost connection, a timeout or a deadlock. */
export function mayPass(error: unknown): boolean {
  return isConnectionError(error) || /^(40|55|57)/.test(sqlState(error) ?? '');
}

/** Returns the URL without its secrets, for messages and logs. */
export function redactUrl(url: string): string {
  return URL.canParse(url) || hostsOf(url) ? hiddenUrl(url) : 'the given database URL';
}

/**
 * Rejects an address that is not a PostgreSQL URL, because the driver would use it as the name of a database. The
 * message does not show the address, because any part of it may be the password.
 * @throws TaskerError `database_unreachable`
 */
export function checkScheme(url: string): void {
  if (/^(postgres(ql)?|socket):/.test(url)) return;
  throw new TaskerError(
    'database_unreachable',
    'the database URL is not a PostgreSQL URL; expected postgres://user:password@host:5432/database',
  );
}

/** Returns the error for a failed first connection, with the cause and advice. */
export function refusedConnection(url: string, error: unknown): TaskerError {
  const reason = messageOf(error) || String((error as Coded | null)?.code);
  return new TaskerError('database_unreachable', `${redactUrl(url)}: ${reason}; ${hintFor(error)}`, { cause: error });
}

/** The driver's message when the server asks for a password and none is set. */
const NO_PASSWORD = /^SASL: .*password must be a /;

function hintFor(error: unknown): string {
  const state = sqlState(error);
  const code = (error as Coded | null)?.code;
  if (state === '28P01' || state === '28000')
    return 'the server rejected the user or password; check both in DATABASE_URL';
  if (NO_PASSWORD.test(messageOf(error))) return 'the server requires a password; add it to DATABASE_URL';
  if (state === '3D000') return 'the database does not exist; create it, or correct the name in DATABASE_URL';
  if (code === 'ENOTFOUND') return 'the host was not found; check it in DATABASE_URL';
  if (code === 'ECONNREFUSED' || code === 'ENOENT')
    return 'no server is listening there; start PostgreSQL, or unset DATABASE_URL to use the embedded server (not in production)';
  return 'check DATABASE_URL, and that the server is running';
}

/** The system calls of a connection. Undefined is an error of the driver or the server. */
const ON_SOCKETS = new Set([undefined, 'connect', 'read', 'write']);

/**
 * Returns an error with advice if the connection was lost during startup. Returns other errors unchanged, because
 * startup also reads files.
 */
export function lostAtStart(place: string, error: unknown): unknown {
  const { syscall } = (error ?? {}) as { syscall?: string };
  if (error instanceof TaskerError || !isConnectionError(error) || !ON_SOCKETS.has(syscall)) return error;
  return new TaskerError(
    'database_unreachable',
    `${place}: connection lost during startup (${messageOf(error)}); start again when the server is running`,
    { cause: error },
  );
}

/** Explains the error of a transaction pooler that does not track prepared statements. Returns other errors unchanged. */
export function lostStatement(error: unknown): unknown {
  if (!/^(42P05|26000)$/.test(sqlState(error) ?? '')) return error;
  return new TaskerError(
    'database_error',
    `${messageOf(error)}: the connection goes through a pooler that does not support prepared statements; with PgBouncer 1.21 or later set max_prepared_statements to 200, or point DATABASE_URL at the server itself`,
    { cause: error },
  );
}
