import { expect, onTestFinished } from 'vitest';
import type { Tasker } from '../../src/app/tasker.ts';
import type { StaleTask } from '../../src/engine/end-stale.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import type { Sql } from './database.ts';
import { DEMO, deferred, setup, states, template, until } from './setup.ts';
import { failed, type waitingBench } from './waits/waiting.ts';

/** Moves all times of a task, or of all tasks, into the past, so that tests do not have to wait. */
export async function age(sql: Sql, minutes: number, taskUuid: string | null = null): Promise<void> {
  const by = `$2 * interval '1 minute'`;
  const mine = '($1::uuid is null or task_uuid = $1)';
  const values = [taskUuid, minutes];
  await sql(`update tasker.task set created_at = created_at - ${by} where ${mine}`, values);
  await sql(
    `update tasker.step set started_at = started_at - ${by}, done_at = done_at - ${by}, next_at = next_at - ${by} where ${mine}`,
    values,
  );
  await sql(`update tasker.wait set since = since - ${by}, ended_at = ended_at - ${by} where ${mine}`, values);
  await sql(`update tasker.checkpoint set saved_at = saved_at - ${by} where ${mine}`, values);
  await sql(`update tasker.operator_action set at = at - ${by} where ${mine}`, values);
  await sql(
    `update tasker.task_watch set check_at = check_at - ${by}, since = since - ${by}, noted_at = noted_at - ${by} where ${mine}`,
    values,
  );
}

/** Waits for the check for stale tasks that a worker runs when it starts. Under load, a late check could disturb a test. */
export async function firstCheck(tasker: Tasker): Promise<void> {
  await until(
    async () => (await tasker.metrics.json())['tasker_staleness_detection_duration_seconds_count']?.value ?? 0,
    (checks) => checks > 0,
  );
}

/** Runs one check for stale tasks, as a worker does. */
export async function checkForStale(tasker: Tasker): Promise<{ ended: StaleTask[]; noted: StaleTask[] }> {
  const seen: { ended: StaleTask[]; noted: StaleTask[] } = { ended: [], noted: [] };
  for await (const { ended, noted } of tasker.engine.endStale()) {
    seen.ended.push(...ended);
    seen.noted.push(...noted);
  }
  return seen;
}

/** The fields of `lifecycle` that set limits. */
export const LIMITS = [
  'max_duration_minutes',
  'max_waiting_for_dependencies_minutes',
  'max_waiting_for_retry_minutes',
  'max_steps_in_process_minutes',
] as const;
/** A field of `lifecycle` that sets a limit. */
export type Limit = (typeof LIMITS)[number];

/** Handlers that bring a task into each state. `busy` waits for `gate`; `signalled` resolves when its signal fires. */
export function stage() {
  const gate = deferred();
  onTestFinished(() => gate.resolve());
  const signalled = deferred();
  const busy = defineHandler('busy', {}, async ({ context }) => {
    context.signal.addEventListener('abort', () => signalled.resolve());
    await gate.promise;
    return { too: 'late' };
  });
  const later = defineHandler('later', {}, () => StepHandlerResult.failure({ message: 'closed', retryAfter: 36_000 }));
  const broken = defineHandler('broken', {}, () => StepHandlerResult.failure('no such order', { retryable: false }));
  const quick = defineHandler('quick', {}, () => ({}));
  return { gate, signalled, handlers: [busy, later, broken, quick] };
}

/** For each limit: the handler that leaves its task open, and the resulting state of the task. */
export const OPEN_STATES: Record<Limit, { first: string; state: string }> = {
  max_duration_minutes: { first: 'busy', state: 'steps_in_process' },
  max_waiting_for_dependencies_minutes: { first: 'broken', state: 'blocked_by_failures' },
  max_waiting_for_retry_minutes: { first: 'later', state: 'waiting_for_retry' },
  max_steps_in_process_minutes: { first: 'busy', state: 'steps_in_process' },
};

const stepsWith = (first: string) => ({
  first: { handler: first },
  next: { handler: 'quick', dependencies: ['first'] },
});

/**
 * Returns {@link taskUnderLimit} without a worker: the test itself brings the task into its state. All tests of a file
 * share `bench`, which {@link sharedWaitingBenches} creates.
 */
export function tasksUnderLimits(bench: typeof waitingBench) {
  return async (limit: Limit, lifecycle: Record<string, unknown>) => {
    const { first, state } = OPEN_STATES[limit];
    const made = await bench(stepsWith(first), { lifecycle: { [limit]: 20, ...lifecycle } });
    const taskUuid = await made.create();
    const claimed = await made.claim();
    const delayMs = first === 'later' ? 36_000_000 : 0;
    if (first !== 'busy') await made.record(claimed.map((step) => failed(step, delayMs)));
    expect((await made.tasker.getTask(taskUuid)).status).toBe(state);
    return { ...made, taskUuid, state };
  };
}

/** Creates a task that stays open under a limit of 20 minutes. */
export async function taskUnderLimit(limit: Limit, lifecycle: Record<string, unknown>) {
  const { handlers, gate, signalled } = stage();
  const { first, state } = OPEN_STATES[limit];
  const templates = [template(stepsWith(first), { lifecycle: { [limit]: 20, ...lifecycle } })];
  // A long poll interval, so that the worker does not check before the test does.
  const { tasker, sql, another } = await setup({ templates, handlers, logger: silentLogger, pollMs: 600_000 });
  await firstCheck(tasker);
  const { taskUuid } = await tasker.createTask(DEMO);
  const running = async () => (await states(tasker, taskUuid)).first;
  await until(running, (seen) => seen !== 'enqueued');
  await until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === state,
  );
  return { tasker, sql, another, taskUuid, gate, signalled, state };
}
