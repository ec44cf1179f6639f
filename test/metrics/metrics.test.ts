import { Registry } from 'prom-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { Decision } from '../../src/handlers/decision/decision.ts';
import { defineDecisionHandler } from '../../src/handlers/decision/define-decision-handler.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { prometheusName } from '../../src/metrics/instrument.ts';
import { INSTRUMENTS } from '../../src/metrics/instruments.ts';
import { TaskerMetrics } from '../../src/metrics/metrics.ts';
import { deferred, RETRY_AT_ONCE } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const ok = (name: string) => defineHandler(name, {}, () => ({ ok: true }));

async function run(tasker: Tasker, demo: { namespace: string; name: string; version: string }): Promise<string> {
  const { taskUuid } = await tasker.createTask(demo);
  return (await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 })).status;
}

/** Returns the values of a report without their descriptions. */
async function valuesOf(tasker: Tasker): Promise<Record<string, number>> {
  const json = await tasker.metrics.json();
  return Object.fromEntries(Object.entries(json).map(([name, { value }]) => [name, value]));
}

describe('metrics', () => {
  it('count tasks, steps and handlers once each, by outcome', async () => {
    const { tasker, demo } = await shared.setup({ a: [], b: ['a'] }, { handlers: [ok('a'), ok('b')] });
    expect(await run(tasker, demo)).toBe('complete');
    const { namespace } = demo;
    const handler = (name: string) => `{namespace="${namespace}",handler="${name}"}`;
    const task = `{namespace="${namespace}",template="demo"}`;
    expect(await valuesOf(tasker)).toMatchObject({
      [`tasker_tasks_requests_total${task}`]: 1,
      [`tasker_tasks_completions_total${task}`]: 1,
      [`tasker_task_completion_duration_seconds_count${task}`]: 1,
      tasker_steps_enqueued_total: 2,
      'tasker_steps_results_processed_total{outcome="accepted"}': 2,
      'tasker_step_attempts_total{outcome="completed"}': 2,
      [`tasker_steps_executions_total${handler('a')}`]: 1,
      [`tasker_steps_successes_total${handler('b')}`]: 1,
      [`tasker_step_execution_duration_seconds_count${handler('b')}`]: 1,
      tasker_steps_results_submitted_total: 2,
      'tasker_channel_backlog{channel="results"}': 0,
      'tasker_channel_buffer_size{channel="steps"}': 100,
      [`tasker_queue_depth{namespace="${namespace}"}`]: 0,
      'tasker_sql_query_duration_seconds_count{statement="register_worker"}': 1,
    });
    const values = await valuesOf(tasker);
    const claimed = (source: string) => values[`tasker_steps_claimed_total{source="${source}"}`] ?? 0;
    expect(claimed('queue') + claimed('recording')).toBe(2);
    expect(values['tasker_sql_queries_total']).toBe(tasker.statements);
  });

  it('distinguish kinds of failures, and tasks that wait for an operator', async () => {
    const again = defineHandler('again', {}, () => {
      throw new Error('the bank is closed');
    });
    const never = defineHandler('never', {}, () => {
      throw new PermanentError('no such account');
    });
    const retry = { ...RETRY_AT_ONCE, max_attempts: 3 };
    const { tasker, demo } = await shared.setup({ again: { retry }, never: { retry } }, { handlers: [again, never] });
    expect(await run(tasker, demo)).toBe('blocked_by_failures');
    const failures = (handler: string, retryable: boolean) =>
      `tasker_steps_failures_total{namespace="${demo.namespace}",handler="${handler}",retryable="${retryable}"}`;
    expect(await valuesOf(tasker)).toMatchObject({
      [failures('again', true)]: 3,
      [failures('never', false)]: 1,
      'tasker_step_attempts_total{outcome="failed"}': 4,
      'tasker_tasks_failures_total{state="blocked_by_failures"}': 1,
    });
  });

  it('show running steps, and the steps created by a decision', async () => {
    const opened = deferred();
    const entered = deferred();
    const choose = defineDecisionHandler('choose', {}, () => Decision.route(['left']));
    const left = defineHandler('left', {}, async () => {
      entered.resolve();
      await opened.promise;
      return {};
    });
    const { tasker, demo } = await shared.setup(
      { root: [], choose: { type: 'decision', dependencies: ['root'] }, left: ['choose'], right: ['choose'] },
      { handlers: [ok('root'), choose, left, ok('right')], concurrency: 4 },
    );
    const done = run(tasker, demo);
    await entered.promise;
    expect(await valuesOf(tasker)).toMatchObject({
      tasker_steps_active_executions: 1,
      tasker_tasks_active: 1,
      'tasker_channel_saturation{channel="steps"}': 0.25,
      'tasker_decision_points_outcomes_processed_total{kind="branches"}': 1,
      'tasker_decision_points_steps_created_total{kind="branches"}': 1,
    });
    opened.resolve();
    expect(await done).toBe('complete');
    expect(await valuesOf(tasker)).toMatchObject({ tasker_steps_active_executions: 0, tasker_tasks_active: 0 });
  });

  it('count timeouts, and handlers that settled later', async () => {
    const settled = deferred();
    const slow = defineHandler('slow', {}, async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await settled.promise;
      return {};
    });
    const { tasker, demo } = await shared.setup(
      { slow: { timeout_seconds: 1, retry: { retryable: false } } },
      { handlers: [slow] },
    );
    await run(tasker, demo);
    const labels = `{namespace="${demo.namespace}",handler="slow"}`;
    expect(await valuesOf(tasker)).toMatchObject({ [`tasker_steps_timeouts_total${labels}`]: 1 });
    settled.resolve();
    await expect.poll(() => valuesOf(tasker)).toMatchObject({ [`tasker_steps_settled_late_total${labels}`]: 1 });
  });

  it('are reported in the Prometheus format, each instrument with its help text', async () => {
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [ok('a')], name: 'worker "7"' });
    await run(tasker, demo);
    const text = await tasker.metrics.text();
    expect(tasker.metrics.contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const definition of Object.values(INSTRUMENTS)) {
      expect(text).toContain(`# TYPE ${prometheusName(definition)} ${definition.kind}`);
    }
    expect(text).toMatch(/^tasker_worker_info\{version="\d[^"]*",worker="worker \\"7\\"",schema="tasker"\} 1$/m);
    expect(text).toMatch(/^tasker_step_claim_duration_seconds_bucket\{le="\+Inf"\} [1-9]\d*$/m);
    const [, least, all] = /_execution_duration_seconds_bucket\{le="0\.001".*\} (\d+)[\s\S]*le="\+Inf".*\} (\d+)/.exec(
      text,
    )!;
    expect(Number(all)).toBeGreaterThanOrEqual(Number(least));
  });

  it('are formatted exactly as prom-client formats them, for any labels', async () => {
    const registry = new Registry();
    const metrics = new TaskerMetrics({ registry });
    const { stepsExecuted, stepClaim, stepsActive } = metrics.instruments;
    for (const label of ['plain', 'a "quoted" one', 'back\\slash', 'two\nlines', 'größe 😀', ''])
      stepsExecuted.of(label, label).add(2);
    for (const seconds of [0, 0.0042, 1e-7, 1e9]) stepClaim.observe(seconds);
    stepsActive.set(Number.POSITIVE_INFINITY);
    const text = await metrics.text();
    expect(text).toContain('{namespace="two\\nlines",handler="two\\nlines"} 2');
    expect(text).toBe(await registry.metrics());
  });

  it('are in the given registry until the tasker stops', async () => {
    const registry = new Registry();
    const { tasker, demo, another } = await shared.setup({ a: [] }, { handlers: [ok('a')], metrics: registry });
    await run(tasker, demo);
    expect(await registry.metrics()).toContain(
      `tasker_tasks_completions_total{namespace="${demo.namespace}",template="demo"} 1`,
    );
    await expect(another({ metrics: registry })).rejects.toThrow(
      /createTasker: metrics: .*already been registered.*Registry\.merge/,
    );
    await tasker.stop();
    expect(await registry.metrics()).toBe('\n');
    const next = await another({ metrics: registry });
    expect(await registry.metrics()).toContain('tasker_worker_uptime_seconds');
    await next.stop();
  });

  it('are removed from the registry if the tasker cannot start', async () => {
    const registry = new Registry();
    const nowhere = createTasker({
      databaseUrl: 'postgres://localhost:1/none',
      metrics: registry,
      logger: silentLogger,
    });
    await expect(nowhere).rejects.toMatchObject({ code: 'database_unreachable' });
    expect(registry.getMetricsAsArray()).toEqual([]);
  });

  it('are separate for two taskers in one process, and `metrics: false` disables them', async () => {
    const { tasker, demo, another } = await shared.setup({ a: [] }, { worker: false });
    const worker = await another({ worker: true, handlers: [ok('a')], metrics: false });
    onTestFinished(() => worker.stop());
    await run(tasker, demo);
    expect(await worker.metrics.text()).toBe('');
    expect(await worker.metrics.json()).toEqual({});
    const values = await valuesOf(tasker);
    expect(values[`tasker_tasks_requests_total{namespace="${demo.namespace}",template="demo"}`]).toBe(1);
    expect(values[`tasker_tasks_completions_total{namespace="${demo.namespace}",template="demo"}`]).toBeUndefined();
  });
});
