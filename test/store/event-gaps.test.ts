import pg from 'pg';
import { describe, expect, it } from 'vitest';
import type { EventLog, TakenEvent } from '../../src/engine/events/log.ts';
import { openSession, type Sql } from '../support/database.ts';
import { drain, eventLog, insertEvents, noGaps, writeEvents } from '../support/events/event-log.ts';
import { until } from '../support/setup.ts';

const PROVE = process.env.PROVE === '1';
const WRITERS = PROVE ? 200 : 50;
const TRANSACTIONS = PROVE ? 100 : 4;
const LONGEST_MS = PROVE ? 2_000 : 60;
/** With few tasks, writers wait for each other most of the time. */
const TASKS = PROVE ? 5_000 : WRITERS;

/** Simpler ways to read the log. The tests show that they miss or delay events. */
const WRONG_READERS = {
  'by the last id': (sql: Sql) => {
    let last = 0;
    return async () => {
      const rows = await sql<{ id: number }>('select id::int from tasker.domain_event where id > $1 order by id', [
        last,
      ]);
      last = rows.at(-1)?.id ?? last;
      return rows.map((row) => row.id);
    };
  },
  'by the oldest transaction that runs': (sql: Sql) => {
    const seen = new Set<number>();
    return async () => {
      const rows = await sql<{ id: number }>(
        `select id::int from tasker.domain_event
          where xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint order by id`,
      );
      const fresh = rows.map((row) => row.id).filter((id) => !seen.has(id));
      for (const id of fresh) seen.add(id);
      return fresh;
    };
  },
};

const sqlOf = (client: pg.Client): Sql =>
  async function query(text, values = []) {
    return (await client.query(text, values)).rows;
  };

const idsOf = (events: readonly { id: number }[]) => events.map((event) => event.id);

async function group(log: EventLog) {
  const id = await log.joinGroup({ name: 'all', patterns: ['*'] });
  return async () => {
    await log.sequence();
    return drain(log, id);
  };
}

describe('an event whose transaction gets its id first and commits last', () => {
  it('the event is delivered after its commit, although a reader that follows the last id would miss it', async () => {
    const { log, url, sql, taskUuids } = await eventLog({ tasks: 2 });
    const [slow, quick] = taskUuids as [string, string];
    const ours = await group(log);
    const wrong = WRONG_READERS['by the last id'](sql);
    const session = sqlOf(await openSession(url));
    // The fast transaction has the lower transaction id, and the slow one has the lower event id. No snapshot boundary
    // reveals that.
    await sql('begin');
    await sql('select pg_current_xact_id()');
    await session('begin');
    const [late] = await insertEvents(session, [{ taskUuid: slow }]);
    const [early] = await insertEvents(sql, [{ taskUuid: quick }]);
    await sql('commit');
    expect(late).toBeLessThan(early!);
    expect(idsOf(await ours())).toEqual([early]);
    expect(await wrong()).toEqual([early]);
    for (let i = 0; i < 3; i++) expect(await ours()).toEqual([]);
    await session('commit');
    expect(idsOf(await ours())).toEqual([late]);
    expect(await wrong()).toEqual([]);
    await noGaps(log, sql);
  });
});

describe('while an unrelated transaction with a transaction id and an old snapshot is open', () => {
  it('no event is delayed, although a reader that follows the oldest transaction would wait', async () => {
    const { log, url, sql, taskUuids } = await eventLog({ tasks: 2 });
    const [taskUuid, other] = taskUuids as [string, string];
    const ours = await group(log);
    const wrong = WRONG_READERS['by the oldest transaction that runs'](sql);
    const unrelated = await openSession(url);
    await unrelated.query('begin isolation level repeatable read');
    await unrelated.query('select pg_current_xact_id(), count(*) from tasker.domain_event');
    const session = sqlOf(await openSession(url));
    await session('begin');
    const late = await insertEvents(session, [{ taskUuid: other }]);
    const early = await writeEvents(sql, { taskUuid });
    await sql('begin');
    await insertEvents(sql, [{ taskUuid }]);
    await sql('rollback');
    const last = await writeEvents(sql, { taskUuid });
    // The events arrive with the first read, as they would without the unrelated transaction.
    expect(idsOf(await ours())).toEqual([...early, ...last]);
    await session('commit');
    expect(idsOf(await ours())).toEqual(late);
    expect(await wrong()).toEqual([]);
    await unrelated.query('commit');
    expect(await ours()).toEqual([]);
    // From here on, the log does not wait for the ids of rolled-back transactions.
    await noGaps(log, sql);
    const seen = idsOf([]);
    await until(
      async () => seen.push(...(await wrong())),
      (count) => count === 3,
    );
  });
});

/** Runs transactions of random length one after another, and rolls some back. Returns the committed ids. */
async function write(url: string, taskUuids: readonly string[]): Promise<number[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const sql = sqlOf(client);
  const any = () => ({ taskUuid: taskUuids[Math.floor(Math.random() * taskUuids.length)]! });
  const committed: number[] = [];
  for (let i = 0; i < TRANSACTIONS; i++) {
    await sql('begin');
    const ids = await insertEvents(sql, [any(), any(), any()].slice(Math.floor(Math.random() * 3)));
    // Most transactions are short, and many of them overtake a long one.
    await new Promise((resolve) => setTimeout(resolve, Math.random() ** 4 * LONGEST_MS));
    const good = Math.random() < 0.85;
    await sql(good ? 'commit' : 'rollback');
    if (good) committed.push(...ids);
  }
  await client.end();
  return committed;
}

it(
  `readers in two processes get each event of ${WRITERS} writers once and in task order despite long transactions`,
  async () => {
    const { log, url, sql, taskUuids, another } = await eventLog({ tasks: TASKS });
    const [slow, ...quick] = taskUuids;
    const logs = [log, await another()];
    const groupId = await log.joinGroup({ name: 'all', patterns: ['*'] });
    const wrong = WRONG_READERS['by the last id'](sql);
    const unrelated = await openSession(url);
    await unrelated.query('begin');
    await unrelated.query('select pg_current_xact_id()');
    const slowest = sqlOf(await openSession(url));
    await slowest('begin');
    const late = await insertEvents(slowest, [{ taskUuid: slow! }]);
    let writing = true;
    const got: TakenEvent[] = [];
    const read = async (one: EventLog) => {
      for (let last = false; !last; ) {
        last = !writing;
        await one.sequence();
        await drain(one, groupId, { limit: PROVE ? 50 : 7, into: got });
      }
    };
    const gotByLastId: number[] = [];
    const readByLastId = async () => {
      while (writing) gotByLastId.push(...(await wrong()));
    };
    const reading = Promise.all([...logs.map(read), readByLastId()]);
    const committed = await Promise.all(Array.from({ length: WRITERS }, () => write(url, quick)));
    gotByLastId.push(...(await wrong()));
    await slowest('commit');
    writing = false;
    await reading;
    gotByLastId.push(...(await wrong()));

    const expected = [...committed.flat(), ...late].sort((a, b) => a - b);
    expect(expected.length).toBeGreaterThan(WRITERS);
    expect(idsOf(got).sort((a, b) => a - b)).toEqual(expected);
    const last = new Map<string, number>();
    for (const { taskUuid, id } of got) {
      expect(id).toBeGreaterThan(last.get(taskUuid) ?? 0);
      last.set(taskUuid, id);
    }
    expect(gotByLastId).not.toContain(late[0]);
    expect(gotByLastId.length).toBeLessThan(expected.length);
    await unrelated.query('commit');
    await noGaps(log, sql);
  },
  PROVE ? 3_600_000 : 240_000,
);
