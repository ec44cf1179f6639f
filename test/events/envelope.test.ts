import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { uuidV7 } from '../../src/model/ids.ts';
import { writeEvents } from '../support/events/event-log.ts';
import { choosing, partsFor, workers } from '../support/hand-worker.ts';
import { DEMO, setup, template } from '../support/setup.ts';

describe('the envelope', () => {
  it('contains the task, the step, its definition and the results of earlier steps', async () => {
    const steps = {
      start: [],
      cut: { type: 'batchable', dependencies: ['start'] },
      part: workers(['cut'], { failure_strategy: 'continue_on_failure' }),
      total: {
        type: 'deferred_convergence',
        dependencies: ['part'],
        handler: { callable: 'total', initialization: { currency: 'EUR' } },
      },
      route: { type: 'decision', dependencies: ['start'] },
      left: ['route'],
      right: ['route'],
    };
    const handlers = [
      defineHandler('cut', {}, () => partsFor('part', '1', '2')),
      defineHandler('part', {}, ({ context }) => ({ part: (context.stepInputs as { cursor: object }).cursor })),
      defineHandler('route', {}, () => choosing('left')),
      ...['start', 'total', 'left', 'right'].map((name) => defineHandler(name, {}, () => ({ by: name }))),
    ];
    const { tasker, sql } = await setup({ templates: [template(steps)], handlers });
    const request = { ...DEMO, context: { order: 7 }, initiator: 'test', tags: ['a'], priority: 5 };
    const { taskUuid } = await tasker.createTask(request);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    const log = tasker.engine.events;
    const total = Object.keys(steps).indexOf('total');
    const worker = (Object.keys(steps).indexOf('part') + 1) << 17;
    await writeEvents(
      sql,
      { taskUuid, idx: total, name: 'total.done', payload: { sum: 2 } },
      { taskUuid, idx: worker, name: 'part.done' },
    );
    const [part, whole] = await log.envelope(await log.list());
    expect(whole).toEqual({
      event_id: expect.any(String),
      event_name: 'total.done',
      event_version: '1.0',
      payload: {
        task_sequence_step: {
          task: {
            task: expect.objectContaining({
              task_uuid: taskUuid,
              context: { order: 7 },
              priority: 5,
              initiator: 'test',
              tags: ['a'],
              complete: true,
            }),
            task_name: 'demo',
            task_version: '1.0.0',
            namespace_name: 'test',
          },
          workflow_step: expect.objectContaining({ name: 'total', attempts: 0, inputs: { currency: 'EUR' } }),
          dependency_results: {
            start: expect.objectContaining({ success: true, result: { by: 'start' }, status: 'completed' }),
            cut: expect.objectContaining({ success: true }),
            part_1: expect.objectContaining({ result: { part: expect.objectContaining({ batch_id: '1' }) } }),
            part_2: expect.objectContaining({ result: { part: expect.objectContaining({ batch_id: '2' }) } }),
          },
          step_definition: expect.objectContaining({
            name: 'total',
            type: 'deferred_convergence',
            dependencies: ['part'],
            handler: { callable: 'total', method: null, resolver: null, initialization: { currency: 'EUR' } },
          }),
        },
        execution_result: expect.objectContaining({ success: true, result: { sum: 2 } }),
        payload: { sum: 2 },
      },
      metadata: {
        task_uuid: taskUuid,
        step_uuid: expect.any(String),
        step_name: 'total',
        namespace: 'test',
        correlation_id: taskUuid,
        fired_at: expect.any(String),
        fired_by: 'default',
      },
    });
    expect(part).toMatchObject({
      payload: {
        task_sequence_step: {
          workflow_step: {
            name: 'part_1',
            template_step_name: 'part',
            inputs: { cursor: { batch_id: '1' }, is_no_op: false, __template_step_name: 'part' },
          },
        },
      },
      metadata: { step_name: 'part_1' },
    });
    const above = (part!.payload.task_sequence_step as { dependency_results: object }).dependency_results;
    expect(Object.keys(above).sort()).toEqual(['cut', 'start']);
    const [gone] = await log.list({ name: 'part.done' });
    expect(await log.envelope([{ ...gone!, taskUuid: uuidV7() }])).toMatchObject([
      { payload: { task_sequence_step: null } },
    ]);
  });
});
