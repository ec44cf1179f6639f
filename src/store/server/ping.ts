import type { Db, Statement } from '../../db/statement.ts';

const PING: Statement = { name: 'ping', text: 'select 1' };

/** Resolves when the database answers. */
export async function ping(db: Db): Promise<void> {
  await db.query(PING);
}
