import { setTimeout as sleep } from 'node:timers/promises';
import type { Tasker } from '../../src/app/tasker.ts';
import type { DeadLetterLook } from '../../src/engine/dead-letters/find-stuck.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { sql } from '../../src/store/sql.ts';
import type { TaskTemplate } from '../../src/template/task-template.ts';
import type { Sql } from './database.ts';
import { DEMO, setup, template, until } from './setup.ts';

const LAST_LOOK = sql('last_dead_letter_look')`select looked_at::text at from tasker.dead_letter_look`;

const UNSEARCHABLE = sql('unsearchable_blocked_tasks')`
select count(*)::int n from tasker.task t left join tasker.task_search s using (task_uuid)
 where t.state = 'blocked_by_failures' and s.state is distinct from t.state`;

/**
 * Writes the search tables. The process that recorded a failure marks the task as changed a moment after its commit.
 */
async function flushSearch({ engine: { database, search } }: Tasker): Promise<void> {
  for (let tries = 0; search.enabled && tries < 40; tries++) {
    await search.flush();
    if ((await database.query<{ n: number }>(UNSEARCHABLE)).rows[0]!.n === 0) return;
    await sleep(25);
  }
}

/** Checks for dead letters once, as a worker does. Waits while a worker determines whether a check is due. */
export async function look(tasker: Tasker, options: Partial<DeadLetterLook> = {}) {
  const seen = { added: [] as string[], closed: [] as string[], resolutions: [] as string[] };
  const { database } = tasker.engine;
  const lastLook = async () => (await database.query<{ at: string }>(LAST_LOOK)).rows[0]!.at;
  await flushSearch(tasker);
  const before = await lastLook();
  for (let tries = 0; tries < 20 && (await lastLook()) === before; tries++) {
    if (tries > 0) await sleep(25);
    for await (const { added, closed } of tasker.engine.findStuckTasks({ leastMs: 0, ...options })) {
      seen.added.push(...added.map(({ taskUuid }) => taskUuid));
      seen.closed.push(...closed.map(({ taskUuid }) => taskUuid));
      seen.resolutions.push(...closed.map(({ resolution }) => resolution));
    }
  }
  return seen;
}

/** A template whose tasks are blocked, and become dead letters, until `broken` succeeds. */
export const BLOCKING: TaskTemplate = template(
  { charge: { handler: 'broken' }, ship: { handler: 'quick', dependencies: ['charge'] } },
  { lifecycle: { on_blocked: 'dlq' } },
);

/** Creates a tasker whose handler `broken` fails until `repair` is called. */
export async function blockingTasker({ templates = [BLOCKING], message = 'no such card' } = {}) {
  let isBroken = true;
  const broken = defineHandler('broken', {}, () =>
    isBroken ? StepHandlerResult.failure(message, { retryable: false, errorType: 'card_unknown' }) : { paid: true },
  );
  const quick = defineHandler('quick', {}, () => ({}));
  const handlers = [broken, quick];
  const made = await setup({ templates, handlers, logger: silentLogger, autoStart: false });
  // Prevents the check at the worker's start, which could last until the test has blocked tasks.
  await made.sql('update tasker.dead_letter_look set looked_at = clock_timestamp()');
  await made.tasker.start();
  return {
    ...made,
    repair: () => {
      isBroken = false;
    },
  };
}

/** Waits until a worker has made its first check, at its start. The next check is at least half a minute later. */
export async function firstLook(sql: Sql): Promise<void> {
  await until(
    () => sql<{ n: number }>(`select count(*)::int n from tasker.dead_letter_look where looked_at > '-infinity'`),
    ([row]) => row!.n === 1,
  );
}

/** Waits until tasks are in a state. */
export async function untilIn(tasker: Tasker, taskUuids: readonly string[], status: string): Promise<void> {
  await until(
    async () => (await tasker.engine.getTasks(taskUuids)).map((task) => task.status),
    (states) => states.length === taskUuids.length && states.every((state) => state === status),
  );
}

/** Creates tasks that are blocked by failures. */
export async function blockedTasks(tasker: Tasker, count: number, name = 'demo'): Promise<string[]> {
  const tasks = await tasker.createTasks(Array.from({ length: count }, (_, n) => ({ ...DEMO, name, context: { n } })));
  const ids = tasks.map((task) => task.taskUuid);
  await untilIn(tasker, ids, 'blocked_by_failures');
  return ids;
}
