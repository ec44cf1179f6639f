import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

const PING = sql('ping')`select 1`;

/** Resolves when the database answers. */
export async function ping(db: Db): Promise<void> {
  await db.query(PING);
}
