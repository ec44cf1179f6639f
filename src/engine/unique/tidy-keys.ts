import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import { deleteFreeKeys, taskKeyPage } from '../../store/task-keys.ts';

const PAGE = 1_000;
/** Maximum number of pages of one call. */
const MOST_PAGES = 200;
const TIDYING = opening({ ...PINNED_PLANS, statement_timeout: '10s', idle_in_transaction_session_timeout: '30s' });

/** Before all hashes. */
export const FIRST_KEY = '';

/**
 * Deletes the keys of `unique` whose tasks have ended, from a hash on. Continues as long as many keys of a page are free.
 * Returns the hash for the next call.
 */
export async function tidyTaskKeys(database: Database, from: string): Promise<string> {
  let after = from;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const page = await database.pipeline(TIDYING, (tx) => taskKeyPage(tx, after, PAGE));
    const free = page.filter((key) => key.free).map(({ hash }) => hash);
    if (free.length > 0) await database.transaction(TIDYING, (tx) => deleteFreeKeys(tx, free));
    after = page.length === PAGE ? page.at(-1)!.hash : FIRST_KEY;
    if (after === FIRST_KEY || free.length < PAGE / 10) break;
  }
  return after;
}
