import { sqlState } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { messageOf, TaskerError } from '../errors.ts';
import { type MissingRight, type RoleFacts, roleFacts } from '../store/server/rights.ts';

/** Returns whether the role of the connection lacks a right that the statement needs, or the statement that was the cause. */
export function isForbidden(error: unknown): boolean {
  return sqlState(error instanceof TaskerError ? error.cause : error) === '42501';
}

/**
 * Returns an error with advice if the server rejected a statement because the role of the connection lacks a right.
 * Returns other errors unchanged.
 */
export async function explainForbidden(database: Database, error: unknown): Promise<unknown> {
  if (error instanceof TaskerError || !isForbidden(error)) return error;
  const role = (await factsOf(database))?.role ?? 'of the connection';
  return new TaskerError(
    'rights_missing',
    `the role ${role} lacks a right in ${database.place}: ${messageOf(error)}; \`${grantsCommand(database, role)}\` prints the statements that grant it`,
    { cause: error },
  );
}

/** Returns the command that prints the statements that grant a role its rights. */
export function grantsCommand({ schema }: Pick<Database, 'schema'>, role: string): string {
  const quoted = /^\w+$/.test(role) ? role : `'${role.replaceAll("'", `'\\''`)}'`;
  return `npx tasker db grants ${quoted}${schema.isDefault ? '' : ` --schema ${schema.name}`}`;
}

/** Returns the role of a connection; undefined if the connection was lost. */
export function factsOf(database: Database): Promise<RoleFacts | undefined> {
  return roleFacts(database).catch(() => undefined);
}

/** Maximum number of objects that a message names. */
const NAMED = 3;

/** Returns the missing rights for a message: `insert, update on the table task`. */
export function phraseRights(missing: readonly MissingRight[]): string {
  const named = missing
    .slice(0, NAMED)
    .map(({ kind, name, privileges }) => `${privileges.join(', ')} on the ${kind} ${name}`);
  const more = missing.length - named.length;
  return `${named.join('; ')}${more > 0 ? `; and rights on ${more} more` : ''}`;
}
