import pg from 'pg';
import { onTestFinished } from 'vitest';
import { Database } from '../../../src/db/database.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { LoggedEvent } from '../../../src/engine/events/logged-event.ts';
import type { DeliveryContext, EventConsumer } from '../../../src/events/delivery/event-consumer.ts';
import { EventDeliverer, type EventDelivererOptions } from '../../../src/events/delivery/event-deliverer.ts';
import { type Logger, silentLogger } from '../../../src/logging/logger.ts';
import type { Metrics } from '../../../src/metrics/metrics.ts';
import { uuidV7 } from '../../../src/model/ids.ts';
import { emptyDatabase } from '../database.ts';
import type { WrittenEvent } from './event-log.ts';

/** A consumer, and what it received: one entry for each call, in the order of the calls. */
export interface Recorded extends EventConsumer {
  got: { id: number; name: string; taskUuid: string; attempt: number; replayed: boolean; n: unknown }[];
  /** The `n` of the payloads. */
  readonly ns: unknown[];
}

/** Creates a consumer that records what it receives before it calls the given function. */
export function consumer(
  options: Partial<EventConsumer> = {},
  handle: (event: LoggedEvent, context: DeliveryContext) => unknown = () => undefined,
): Recorded {
  const got: Recorded['got'] = [];
  return {
    group: 'audit',
    patterns: ['*'],
    ...options,
    got,
    get ns() {
      return got.map(({ n }) => n);
    },
    async deliver(event, context) {
      const { id, name, taskUuid, payload } = event;
      got.push({
        id,
        name,
        taskUuid,
        attempt: context.attempt,
        replayed: context.replayed,
        n: (payload as { n?: unknown }).n,
      });
      await handle(event, context);
    },
  };
}

/** The other options of a process that delivers events. */
export interface ProcessOptions extends EventDelivererOptions {
  logger?: Logger;
  metrics?: Metrics;
}

/** Creates a database that has only events, and processes that deliver them. */
export async function deliveries() {
  const { url, sql, drop } = await emptyDatabase();
  const [running, databases]: [EventDeliverer[], Database[]] = [[], []];
  onTestFinished(async () => {
    await Promise.all(running.map((delivery) => delivery.stop({ drainTimeoutMs: 100 })));
    await Promise.all(databases.map((database) => database.close()));
    await drop();
  });
  const connect = async () => {
    const database = await Database.connect({ url, poolSize: 4, logger: silentLogger });
    databases.push(database);
    return database;
  };
  const startOn = async (
    database: Database,
    consumers: EventConsumer[],
    { logger = silentLogger, metrics, ...options }: ProcessOptions = {},
  ) => {
    const log = new Engine(database, silentLogger).events;
    const delivery = new EventDeliverer({ log, logger, listenTo: database, options, ...(metrics && { metrics }) });
    running.push(delivery);
    await delivery.run(consumers).started;
    await delivery.start();
    return delivery;
  };
  return {
    url,
    sql,
    /** Writes events as one recording does, and then announces them as its worker does. */
    async publish(...events: Partial<WrittenEvent>[]): Promise<void> {
      await publishTo(url, events);
    },
    connect,
    startOn,
    /** Delivers like a separate process, with its own connections. */
    start: async (consumers: EventConsumer[], options?: ProcessOptions) => startOn(await connect(), consumers, options),
  };
}

/** Writes in a transaction whose id is assigned before the ids of the events, as in a recording. */
export async function publishTo(url: string, events: readonly Partial<WrittenEvent>[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const rows = events.map(({ taskUuid = uuidV7(), name = 'demo.done', payload = {} }) => ({
      event_id: uuidV7(),
      name,
      task_uuid: taskUuid,
      payload,
    }));
    await client.query('begin');
    await client.query('select pg_current_xact_id()');
    await client.query(
      `insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, execution)
       select event_id, name, task_uuid, 0, 1, 'default', payload, '{"worker_id": "w", "execution_time_ms": 1}'
         from jsonb_to_recordset($1) e (event_id uuid, name text, task_uuid uuid, payload jsonb)`,
      [JSON.stringify(rows)],
    );
    await client.query('commit');
    await client.query('notify tasker_events');
  } finally {
    await client.end();
  }
}

/** Creates this many events, each of a different task, with their numbers in their payloads. */
export const numbered = (count: number, more: Partial<WrittenEvent> = {}): Partial<WrittenEvent>[] =>
  Array.from({ length: count }, (_, n) => ({ ...more, payload: { n } }));
