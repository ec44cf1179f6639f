import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import type { Sql } from './database.ts';
import { endStates, setup, template } from './setup.ts';

/** A folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'tasker-archive-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const HANDLERS = ['a', 'b'].map((name) => defineHandler(name, {}, () => ({ by: name, ü: 'ñ\n"' })));

/** A tasker with a template of two steps, and this many tasks that have completed. */
export async function completed(count: number, options: Parameters<typeof setup>[0] = {}) {
  const made = await setup({
    templates: [template({ a: [], b: ['a'] })],
    handlers: HANDLERS,
    logger: silentLogger,
    ...options,
  });
  const requests = Array.from({ length: count }, (_, n) => ({
    namespace: 'test',
    name: 'demo',
    context: { n },
    idempotencyKey: `k${n}`,
  }));
  const tasks = count > 0 ? await made.tasker.createTasks(requests) : [];
  if (count > 0) await endStates(made.tasker, tasks);
  return { ...made, requests, taskUuids: tasks.map((task) => task.taskUuid) };
}

/** Moves the end of tasks back in time. */
export async function endedAgo(sql: Sql, interval: string, taskUuids: readonly string[]): Promise<void> {
  await sql('update tasker.task set done_at = done_at - $1::interval where task_uuid = any ($2)', [
    interval,
    taskUuids,
  ]);
}

/** The number of rows of each table that has rows of these tasks. */
export async function rowsOf(sql: Sql, taskUuids: readonly string[]): Promise<Record<string, number>> {
  const tables = await sql<{ name: string }>(
    `select c.table_name name from information_schema.columns c
       join information_schema.tables t using (table_schema, table_name)
      where c.table_schema = 'tasker' and c.column_name = 'task_uuid' and t.table_type = 'BASE TABLE' order by 1`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await sql<{ n: number }>(`select count(*)::int n from tasker.${name} where task_uuid = any ($1)`, [
      taskUuids,
    ]);
    if (row!.n > 0) counts[name] = row!.n;
  }
  return counts;
}

/** Returns everything that can be read about a task. */
export async function allOf(tasker: Tasker, taskUuid: string) {
  return {
    task: await tasker.getTask(taskUuid),
    steps: await tasker.getSteps(taskUuid),
    history: await tasker.getHistory(taskUuid),
    events: (await tasker.events.list({ taskUuid })).map(({ id: _, ...event }) => event),
    earlier: await tasker.getEarlierRuns(taskUuid),
  };
}

/** Expires the lease of a process that was killed. */
export async function endTurn(sql: Sql): Promise<void> {
  await sql('update tasker.prune_turn set holder = null, due_at = now()');
}
