import { expect, it } from 'vitest';
import { forgetEvents } from '../../src/store/events/retention.ts';
import type { Sql } from '../support/database.ts';
import { eventLog, writeEvents } from '../support/events/event-log.ts';

const names = (events: readonly { name: string }[]) => events.map((event) => event.name);
/** The part of the log with the events of a task. */
const partOf = (taskUuid: string) => Number.parseInt(taskUuid.at(-1)!, 16);

/** Puts each event into a separate list, in this order. */
async function listEach(sql: Sql, ids: readonly number[], taskOf: (i: number) => string) {
  await sql(
    `insert into tasker.event_chunk (part, chunk, ids, size, total)
     select part, chunk, array[id], 1, row_number() over (partition by part order by chunk)
       from unnest($1::bigint[], $2::int[]) with ordinality e (id, part, chunk)`,
    [ids, ids.map((_, i) => partOf(taskOf(i)))],
  );
  await sql('update tasker.event_head set chunk = $1, last_id = $2', [ids.length, ids.at(-1)]);
}

it('a reader that follows the log receives at most as many events at a time as it requests', async () => {
  const { log, sql, taskUuids } = await eventLog({ tasks: 3 });
  const { place } = await log.follow();
  const events = [1, 2, 3].flatMap((n) => taskUuids.map((taskUuid, i) => ({ taskUuid, name: `a.n${n}_${i}` })));
  await writeEvents(sql, ...events);
  const first = await log.follow(place, { limit: 4 });
  expect(names(first.events)).toEqual(names(events.slice(0, 4)));
  expect(names((await log.follow(first.place, { limit: 100 })).events)).toEqual(names(events.slice(4)));
});

it('a reader that follows the log misses nothing when two parts have more lists than one read returns', async () => {
  const { log, sql, taskUuids } = await eventLog({ tasks: 12 });
  const one = taskUuids[0]!;
  const two = taskUuids.find((taskUuid) => partOf(taskUuid) !== partOf(one))!;
  // Each part has one list more than a single read returns. The lists of the second part come after those of the first.
  const taskOf = (i: number) => (i < 70 ? one : two);
  const events = Array.from({ length: 140 }, (_, i) => ({ taskUuid: taskOf(i), name: `a.n${i}` }));
  await listEach(sql, await writeEvents(sql, ...events), taskOf);
  const got: string[] = [];
  for (let place = { chunk: 0, id: 0 }; ; ) {
    const next = await log.follow(place, { limit: 1_000 });
    if (next.events.length === 0) break;
    got.push(...names(next.events));
    place = next.place;
  }
  expect(got).toEqual(names(events));
});

it('each portion of deleted old events begins where the previous one ended', async () => {
  const { tasker, sql, taskUuids } = await eventLog();
  const [taskUuid] = taskUuids as [string];
  const ids = await writeEvents(sql, ...[1, 2, 3].map((n) => ({ taskUuid, name: `a.n${n}` })));
  await listEach(sql, ids, () => taskUuid);
  await sql(`update tasker.event_chunk set made_at = now() - interval '8 days'`);
  const portion = { part: partOf(taskUuid), retentionMs: 7 * 86_400_000, limit: 2 };
  const forget = (after: number) => forgetEvents(tasker.engine.database, { ...portion, after });
  expect(await forget(-1)).toEqual({ events: 2, far: 2 });
  expect(await forget(2)).toEqual({ events: 1, far: 3 });
  expect(await forget(3)).toEqual({ events: 0, far: null });
});
