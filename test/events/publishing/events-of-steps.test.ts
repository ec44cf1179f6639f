import { describe, expect, it, onTestFinished } from 'vitest';
import type { LiveEvent } from '../../../src/events/subscribing/event-bus.ts';
import { defineBatchAnalyzer } from '../../../src/handlers/batch/define-batch-analyzer.ts';
import { Decision } from '../../../src/handlers/decision/decision.ts';
import { defineDecisionHandler } from '../../../src/handlers/decision/define-decision-handler.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { StepHandlerResult } from '../../../src/handlers/step-handler.ts';
import { stepUuid } from '../../../src/model/ids.ts';
import { TAKES_CHILDREN, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

const event = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  description: 'it happened',
  schema: {},
  ...more,
});
const publishing = (...names: string[]) => ({ publishes_events: names.map((name) => event(name)) });

const stored = (taskUuid: string) =>
  shared.sql<{ event_id: string; name: string; idx: number; payload: Record<string, unknown> }>(
    `select event_id, name, idx, payload from tasker.domain_event where task_uuid = $1 order by id`,
    [taskUuid],
  );

describe('events', () => {
  it('of the modes fast and broadcast reach listeners in the process after the commit', async () => {
    const a = defineHandler('a', {}, () => ({ amount: 3 }));
    const events = (['durable', 'fast', 'broadcast'] as const).map((mode) =>
      event(`mode.${mode}`, { delivery_mode: mode }),
    );
    const { tasker, demo } = await shared.setup({ a: { publishes_events: events } }, { handlers: [a], name: 'w' });
    const live: LiveEvent[] = [];
    const states: Promise<unknown>[] = [];
    onTestFinished(
      tasker.eventBus.subscribe('mode.*', (received) => {
        live.push(received);
        states.push(shared.sql(`select state::text from tasker.step where task_uuid = $1`, [received.taskUuid]));
      }),
    );
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => live.length,
      (count) => count === 2,
    );
    const rows = await stored(taskUuid);
    expect(rows.map(({ name }) => name)).toEqual(['mode.durable', 'mode.broadcast']);
    expect(live.map(({ name }) => name)).toEqual(['mode.fast', 'mode.broadcast']);
    expect(live[1]!.eventId).toBe(rows[1]!.event_id);
    expect(live[1]).toMatchObject({
      version: '1.0',
      taskUuid,
      stepUuid: stepUuid(taskUuid, 0),
      stepName: 'a',
      namespace: demo.namespace,
      correlationId: taskUuid,
      attempt: 1,
      publisher: 'default',
      payload: { amount: 3 },
      metadata: {},
      executionResult: { success: true, status: 'completed', result: { amount: 3 }, metadata: { worker_id: 'w' } },
    });
    expect(await Promise.all(states)).toEqual([[{ state: 'complete' }], [{ state: 'complete' }]]);
    const report = await tasker.metrics.text();
    for (const mode of ['durable', 'fast', 'broadcast']) {
      expect(report).toMatch(new RegExp(`^tasker_domain_events_published_total\\{mode="${mode}"\\} 1$`, 'm'));
    }
  });

  it('are published by decisions, by their branches and by each batch worker', async () => {
    const batch = {
      batch_size: 1,
      parallelism: 3,
      cursor_field: 'id',
      worker_template: 'part',
      failure_strategy: 'continue_on_failure',
    };
    const handlers = [
      defineHandler('start', {}, () => ({})),
      defineDecisionHandler('route', {}, () => Decision.route(['left'])),
      defineHandler('left', {}, () => ({ way: 'left' })),
      defineHandler('right', {}, () => ({ way: 'right' })),
      defineBatchAnalyzer('cut', { workerTemplate: 'part' }, () => ({ totalItems: 3, batchSize: 1 })),
      defineHandler('part', {}, ({ context }) => {
        const { batch_id } = context.stepInputs['cursor'] as { batch_id: string };
        if (batch_id === 'batch_001') throw new PermanentError('no');
        return { batch_id };
      }),
    ];
    const { tasker, demo } = await shared.setup(
      {
        start: [],
        route: { type: 'decision', dependencies: ['start'], ...publishing('step.routed') },
        left: { dependencies: ['route'], ...publishing('step.left') },
        right: { dependencies: ['route'], ...publishing('step.right') },
        cut: { type: 'batchable', dependencies: ['start'], ...publishing('step.cut') },
        part: {
          type: 'batch_worker',
          dependencies: ['cut'],
          batch_config: batch,
          publishes_events: [event('part.done'), event('part.failed', { condition: 'permanent_failure' })],
        },
      },
      { handlers },
    );
    const { taskUuid } = await tasker.createTask(demo);
    const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
    expect(status).toBe('complete');
    const rows = await stored(taskUuid);
    const names = new Map((await tasker.getSteps(taskUuid)).map((step) => [step.stepUuid, step.name]));
    expect(rows.map(({ name, idx }) => `${name} ${names.get(stepUuid(taskUuid, idx))}`).sort()).toEqual([
      'part.done part_batch_000',
      'part.done part_batch_002',
      'part.failed part_batch_001',
      'step.cut cut',
      'step.left left',
      'step.routed route',
    ]);
  });

  it('of a step that yields are published once, when the step ends', async () => {
    const a = defineHandler('a', {}, ({ context }) =>
      context.checkpoint === null
        ? StepHandlerResult.success({ cursor: 1, items_processed: 1 }, { checkpoint_yield: true })
        : { done: true },
    );
    const steps = { a: { publishes_events: [event('a.ended', { condition: 'always' })] } };
    const { tasker, demo } = await shared.setup(steps, { handlers: [a] });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
    expect((await stored(taskUuid)).map(({ payload }) => payload)).toEqual([{ done: true }]);
  });

  it('of 500 steps that publish 20 events each are all stored, grouped by step and in declared order', async () => {
    const work = defineHandler('work', {}, () => ({ ok: true }));
    const names = Array.from({ length: 20 }, (_, i) => `event.e${i}`);
    const steps = Object.fromEntries(
      Array.from({ length: 25 }, (_, i) => [`s${i}`, { handler: 'work', ...publishing(...names) }]),
    );
    const { tasker, demo } = await shared.setup(steps, { handlers: [work], ...TAKES_CHILDREN });
    const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => demo));
    await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })));
    const rows = (await Promise.all(tasks.map(({ taskUuid }) => stored(taskUuid)))).flat();
    expect(rows).toHaveLength(10_000);
    expect(new Set(rows.map((row) => row.event_id)).size).toBe(10_000);
    const wrong = rows.filter((row, i) => row.name !== names[i % 20] || row.idx !== rows[i - (i % 20)]!.idx);
    expect(wrong).toEqual([]);
  });
});
