import type { Db } from '../../db/statement.ts';
import { databaseClock } from '../../store/server/server-facts.ts';

/**
 * Returns the time from which ages such as `2h` are measured, in milliseconds since 1970: that of the database, because the
 * clocks of processes differ. The database is asked only if one of the times is not absolute.
 */
export async function clockFor(db: Db, ...times: readonly unknown[]): Promise<number> {
  const isRelative = (time: unknown) => typeof time === 'string' && !/^\s*\d{4}-/.test(time);
  return times.some(isRelative) ? databaseClock(db) : Date.now();
}
