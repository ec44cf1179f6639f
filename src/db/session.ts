import type pg from 'pg';
import { TaskerError } from '../errors.ts';
import { BEGIN } from './opening.ts';
import type { Schema } from './schema.ts';
import type { Db, Rows, Statement } from './statement.ts';

/** An exclusive connection. */
export interface Session extends Db {
  /** Runs scripts of several statements in one transaction. */
  transaction(work: (run: (script: string) => Promise<void>) => Promise<void>): Promise<void>;
}

/** Returns the session of a connection. @internal */
export function sessionOn(client: pg.Client, schema: Schema): Session {
  return {
    query: async <Row>(statement: Statement, values: readonly unknown[] = []) =>
      (await client.query(schema.textOf(statement), values as unknown[])) as unknown as Rows<Row>,
    transaction: async (work) => {
      await client.query(BEGIN);
      try {
        await work(async (script) => void (await client.query(schema.bind(script))));
        const { command } = await client.query('commit');
        if (command !== 'COMMIT') throw new TaskerError('database_error', 'the transaction was rolled back');
      } catch (error) {
        await client.query('rollback').catch(() => undefined);
        throw error;
      }
    },
  };
}
