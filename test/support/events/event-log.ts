import { onTestFinished } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { EventLog, TakenPart } from '../../../src/engine/events/log.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { uuidV7 } from '../../../src/model/ids.ts';
import type { Sql } from '../database.ts';
import { DEMO, setup, template, until } from '../setup.ts';

/** An event to write. Missing fields get generated values. */
export interface WrittenEvent {
  taskUuid: string;
  name?: string;
  idx?: number;
  payload?: unknown;
  execution?: Record<string, unknown>;
  eventId?: string;
}

/** Writes events in an open transaction. Locks their tasks first, as a recording does. Returns the ids of the events. */
export async function insertEvents(sql: Sql, events: readonly WrittenEvent[]): Promise<number[]> {
  const tasks = [...new Set(events.map((event) => event.taskUuid))].sort();
  await sql('select 1 from tasker.task where task_uuid = any ($1) order by task_uuid for update', [tasks]);
  const rows = await sql<{ id: string }>(
    `insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, execution)
     select event_id, name, task_uuid, idx, 1, 'default', payload, execution
       from jsonb_to_recordset($1) e (event_id uuid, name text, task_uuid uuid, idx int, payload jsonb, execution jsonb)
     returning id`,
    [
      JSON.stringify(
        events.map(({ taskUuid, idx = 0, name = 'demo.done', payload = {}, execution = {}, eventId = uuidV7() }) => ({
          event_id: eventId,
          name,
          task_uuid: taskUuid,
          idx,
          payload,
          execution: { execution_time_ms: 14, ...execution },
        })),
      ),
    ],
  );
  return rows.map((row) => Number(row.id));
}

/** Writes events in a separate transaction. Returns their ids. */
export async function writeEvents(sql: Sql, ...events: WrittenEvent[]): Promise<number[]> {
  await sql('begin');
  const ids = await insertEvents(sql, events);
  await sql('commit');
  return ids;
}

/** Waits until no id is reserved for rolled-back events. Transactions of other tests on the server may delay this. */
export async function noGaps(log: EventLog, sql: Sql): Promise<void> {
  const gapsNow = async () => {
    await log.sequence();
    return sql('select * from tasker.event_gap');
  };
  await until(gapsNow, (gaps) => gaps.length === 0, 50_000);
}

/** Creates a database with this many tasks and no worker, and its log. */
export async function eventLog({ tasks = 1 }: { tasks?: number } = {}) {
  const steps = { a: [], b: ['a'] };
  const { tasker, url, sql } = await setup({ templates: template(steps), worker: false });
  const created = await tasker.createTasks(Array.from({ length: tasks }, () => DEMO));
  const another = async () => {
    const database = await Database.connect({ url, poolSize: 4, logger: silentLogger });
    onTestFinished(() => database.close());
    return new Engine(database, silentLogger).events;
  };
  return {
    tasker,
    url,
    sql,
    log: tasker.engine.events,
    taskUuids: created.map((task) => task.taskUuid),
    /** Opens the log as another process does. */
    another,
  };
}

/** Handles and releases all events that wait for a group, part by part. Returns them. */
export async function drain(
  log: EventLog,
  groupId: number,
  { limit = 200, into: events = [] }: { limit?: number; into?: TakenPart['events'] } = {},
): Promise<TakenPart['events']> {
  const holder = uuidV7();
  for (;;) {
    const taken = await log.take(groupId, holder, { leaseMs: 60_000, limit });
    if (!taken) return events;
    events.push(...taken.events);
    await log.finish(taken);
  }
}
