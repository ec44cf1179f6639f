import { sqlState } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { portableRow, portableText, portableValue } from '../db/portable-statement.ts';
import type { Schema } from '../db/schema.ts';
import type { Db, Rows, Statement } from '../db/statement.ts';
import { adapterOf, type UserClient } from '../db/user-client.ts';
import { messageOf, TaskerError } from '../errors.ts';
import { type CallersSession, readCallersSession } from '../store/callers-session.ts';
import { shownValue } from './shown-value.ts';

/** Checks the form of a client of a caller. @throws TaskerError `bad_request` */
export function checkClient(client: unknown): UserClient {
  if (typeof (client as UserClient | null)?.query !== 'function') {
    throw new TaskerError(
      'bad_request',
      `client must be a pg client or the result of an adapter of tasker-core/orm, got ${shownValue(client)}`,
    );
  }
  if (isPool(client)) {
    throw new TaskerError(
      'bad_request',
      'client is a pool, which may run each statement on another connection; pass a client of pool.connect() on which you have sent BEGIN',
    );
  }
  return client as UserClient;
}

function isPool(client: unknown): boolean {
  const { totalCount, idleCount } = client as { totalCount?: unknown; idleCount?: unknown };
  return typeof totalCount === 'number' && typeof idleCount === 'number';
}

/**
 * Returns a `Db` for statements in the transaction of a caller. Checks the transaction first, with one statement.
 * @throws TaskerError `bad_request` if the client is not in a transaction that can write to the database of `database`
 */
export async function callersTransaction(database: Database, client: UserClient): Promise<Db> {
  const db = portableDb(client, database.schema);
  const session = await sessionOf(client, db);
  await checkDatabase(database, client, session);
  checkTransaction(client, session);
  return db;
}

const texts = new WeakMap<Statement, Map<string, string>>();

function textOf(schema: Schema, statement: Statement): string {
  const known = texts.get(statement) ?? new Map<string, string>();
  texts.set(statement, known);
  let text = known.get(schema.name);
  if (text === undefined) {
    text = `/* ${statement.name} */ ${portableText(statement, schema.textOf(statement))}`;
    known.set(schema.name, text);
  }
  return text;
}

/** The last statement of each client. */
const latest = new WeakMap<UserClient, Promise<unknown>>();

/** Runs the statements of a client one after another, because not every driver accepts several at once. */
function portableDb(client: UserClient, schema: Schema): Db {
  return {
    query: <Row>(statement: Statement, values: readonly unknown[] = []): Promise<Rows<Row>> => {
      const answer = Promise.resolve(latest.get(client)).then(async () => {
        const { rows } = await client.query(textOf(schema, statement), values.map(portableValue));
        return { rows: rows.map((row) => portableRow<Row>(row)), command: '' };
      });
      latest.set(
        client,
        answer.catch(() => undefined),
      );
      return answer;
    },
  };
}

async function sessionOf(client: UserClient, db: Db): Promise<CallersSession> {
  try {
    return await readCallersSession(db);
  } catch (error) {
    const state = driverState(error);
    if (state === IN_FAILED_TRANSACTION) {
      throw new TaskerError(
        'bad_request',
        'the transaction of the client has failed in an earlier statement; roll it back, or roll back to a savepoint, before this call',
        { cause: error },
      );
    }
    if (state !== undefined || isLostConnection(error)) throw error;
    throw new TaskerError(
      'bad_request',
      `the transaction of the client cannot be used: ${messageOf(error)}; ${wayOut(client)}`,
      { cause: error },
    );
  }
}

/** SQLSTATE. */
const IN_FAILED_TRANSACTION = '25P02';

/**
 * Returns the SQLSTATE of an error of any driver. Libraries wrap the error of their driver in various ways. A code of
 * Prisma, such as P2028, is not a SQLSTATE.
 */
export function driverState(error: unknown, depth = 0): string | undefined {
  if (typeof error !== 'object' || error === null || depth > 4) return undefined;
  const { cause, driverError, meta, driverAdapterError, originalCode } = error as Record<string, unknown>;
  const own = sqlState(error) ?? sqlState({ code: originalCode });
  if (own !== undefined && !/^P[1-9]/.test(own)) return own;
  for (const inner of [cause, driverError, driverAdapterError, meta]) {
    const state = driverState(inner, depth + 1);
    if (state !== undefined) return state;
  }
  return undefined;
}

/** Returns whether the connection to the server failed, as opposed to a connection that the library has released. */
function isLostConnection(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 4) return false;
  const { code, cause, driverError } = error as Record<string, unknown>;
  if (typeof code === 'string' && /^(E[A-Z]+|CONNECT(ION)?_[A-Z_]+)$/.test(code)) return true;
  return (
    /^Connection terminated/.test(messageOf(error)) ||
    isLostConnection(cause, depth + 1) ||
    isLostConnection(driverError, depth + 1)
  );
}

function checkTransaction(client: UserClient, { inTransaction, readOnly, transaction }: CallersSession): void {
  if (!inTransaction) {
    throw new TaskerError('bad_request', `the client is not in a transaction, or it has ended; ${wayOut(client)}`);
  }
  if (readOnly) {
    throw new TaskerError(
      'bad_request',
      'the transaction of the client is read-only; begin it with READ WRITE, on the primary server',
    );
  }
  if (adapterOf(client) && (transactions.get(client) ?? transaction) !== transaction) {
    throw new TaskerError(
      'bad_request',
      `the transaction of the client has ended, and its connection is in another one; ${wayOut(client)}`,
    );
  }
  transactions.set(client, transaction);
}

/** The transaction in which a client of an adapter was first used. */
const transactions = new WeakMap<UserClient, string>();

function wayOut(client: UserClient): string {
  const adapter = adapterOf(client);
  return adapter
    ? `call ${adapter.name} with ${adapter.expected}, and await this call before the transaction ends`
    : 'send BEGIN on it before this call, and COMMIT after it';
}

/** The place of the tasker's own database. */
const places = new WeakMap<Database, CallersSession>();

async function checkDatabase(database: Database, client: UserClient, session: CallersSession): Promise<void> {
  if (places.get(database)?.place === session.place) return;
  // Reads it again after a difference, because the database may have moved to another server.
  const own = await readCallersSession(database);
  places.set(database, own);
  if (own.place === session.place) return;
  const other =
    own.database === session.database
      ? `the database ${own.database} of another server`
      : `the database ${session.database}`;
  throw new TaskerError(
    'bad_request',
    `the client is connected to ${other}, and not to the database ${own.database} of this tasker; ${
      adapterOf(client) ? 'pass a transaction' : 'use a client'
    } of that database`,
  );
}
