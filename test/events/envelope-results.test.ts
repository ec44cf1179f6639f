import { expect, it } from 'vitest';
import { writeEvents } from '../support/events/event-log.ts';
import { handWorker, partsFor, workers } from '../support/hand-worker.ts';

it('an envelope includes the results of steps that an operator resolved, and of batch workers that failed', async () => {
  const steps = {
    root: [],
    cut: { type: 'batchable', dependencies: ['root'] },
    part: workers(['cut']),
    total: { type: 'deferred_convergence', dependencies: ['part'] },
  };
  const { tasker, taskUuid, sql, claim, record, completed, failed } = await handWorker(steps);
  await claim();
  await tasker.resolveStep(taskUuid, 'root', { result: { by: 'hand' } });
  expect(await claim()).toEqual(['cut']);
  await record(completed('cut', partsFor('part', '1', '2')));
  expect(await claim()).toEqual(['part_1', 'part_2']);
  await record(failed('part_1'), completed('part_2'));
  await writeEvents(sql, { taskUuid, idx: Object.keys(steps).indexOf('total'), name: 'total.done' });
  const log = tasker.engine.events;
  const [envelope] = await log.envelope(await log.list());
  const step = envelope!.payload.task_sequence_step as { dependency_results: object };
  expect(step.dependency_results).toEqual({
    root: expect.objectContaining({ success: true, result: { by: 'hand' } }),
    cut: expect.objectContaining({ success: true }),
    part_1: expect.objectContaining({ success: false }),
    part_2: expect.objectContaining({ success: true }),
  });
});
