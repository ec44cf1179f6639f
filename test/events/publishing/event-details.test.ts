import { expect, it } from 'vitest';
import { eventLog, writeEvents } from '../../support/events/event-log.ts';

/** Returns the task and step in the wire format of the only event. */
async function sentOf({ log }: Pick<Awaited<ReturnType<typeof eventLog>>, 'log'>) {
  const [envelope] = await log.envelope(await log.list());
  return envelope!.payload.task_sequence_step as { task: { task: object }; workflow_step: object };
}

it('the event of a cancelled task does not report the task as complete', async () => {
  const { log, sql, tasker, taskUuids } = await eventLog();
  const [taskUuid] = taskUuids as [string];
  await writeEvents(sql, { taskUuid });
  await tasker.cancelTask(taskUuid);
  expect((await sentOf({ log })).task.task).toMatchObject({ complete: false });
});

it('the step of an event has the number of earlier attempts that count towards the limit', async () => {
  const { log, sql, taskUuids } = await eventLog();
  await writeEvents(sql, { taskUuid: taskUuids[0]! });
  await sql('update tasker.domain_event set attempt = 4, number = 3');
  await sql('update tasker.step set attempts = 4, spared = 1 where idx = 0');
  expect((await sentOf({ log })).workflow_step).toMatchObject({ attempts: 2 });
});

it('the execution of an event has its worker, or null, and its duration', async () => {
  const { log, sql, taskUuids } = await eventLog();
  const [taskUuid] = taskUuids as [string];
  const runs = [{}, { worker_id: 'python-1', execution_time_ms: 25 }];
  await writeEvents(sql, ...runs.map((execution) => ({ taskUuid, execution })));
  const metadata = (await log.list()).map(
    ({ executionResult }) => (executionResult as { metadata: Record<string, unknown> }).metadata,
  );
  expect(metadata.map((each) => [each.worker_id, each.execution_time_ms])).toStrictEqual([
    ['python-1', 25],
    [null, 14],
  ]);
});
