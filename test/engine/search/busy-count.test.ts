import { expect, it } from 'vitest';
import type { Db } from '../../../src/db/statement.ts';
import { look } from '../../../src/engine/search/slices.ts';
import { made, sql } from '../../../src/store/sql.ts';
import { setup } from '../../support/setup.ts';

const SLEEP = sql('sleep')``;

/** A search that finds more than a page, and whose count takes this time on the server. */
const searchWithCount = (seconds: number) => ({
  isPlain: true,
  first: async () => ({ places: Array.from({ length: 26 }, (_, n) => ({ n })), complete: false }),
  all: () => Promise.reject(new Error('not needed')),
  stretch: () => Promise.reject(new Error('not needed')),
  count: async (db: Db) => {
    await db.query(made(SLEEP, `select pg_sleep(${seconds})`), []);
    return { total: 10_000, exact: false };
  },
});

it('a page waits for its total while the server is busy, and has a lower bound if the count gives up', async () => {
  const { tasker } = await setup({ worker: false });
  const { database } = tasker.engine;
  const slice = { after: null, limit: 25 };
  const busy = await look(database, searchWithCount(0.2), slice);
  expect([busy.more, await busy.count]).toEqual([true, { total: 10_000, totalIsExact: false }]);
  const stuck = await look(database, searchWithCount(60), slice);
  expect([stuck.more, await stuck.count]).toEqual([true, { total: 26, totalIsExact: false }]);
});
