import { REQUEST, type World } from '../../support/rest/world.ts';
import { ACT, type Row, type Rows, type Table } from './row.ts';

const HOUR = 3_600_000;

/** Creates a task that is blocked by a failure. The template rejects a second task with the same number. */
export async function failedTask({ tasker, create }: World, number: number): Promise<string> {
  const uuid = await create({ context: { failed: number } });
  await tasker.waitForTask(uuid);
  return uuid;
}

/** Creates a task of a version whose third step comes after the one that fails. */
async function failedOf({ tasker, create }: World, version: string): Promise<string> {
  const uuid = await create({ version, context: {} });
  await tasker.waitForTask(uuid);
  return uuid;
}

async function completeTask({ tasker, create }: World, name: string): Promise<string> {
  const uuid = await create({ context: { lucky: name } });
  await tasker.waitForTask(uuid);
  return uuid;
}

async function laterTask({ tasker }: World): Promise<string> {
  const { initiator, reason } = REQUEST;
  const request = { namespace: 'test', name: 'slow', version: '1.0.0', delayMs: HOUR, initiator, reason };
  return (await tasker.createTask(request)).taskUuid;
}

/** Acts on tasks and steps, and the streams of their changes. */
export async function taskActRows(world: World): Promise<Table> {
  const { complete } = world.tasks;
  const of = (uuid: string, body: object = ACT): Row => ({ params: { uuid }, body });
  const [retried, resolved, other, failed, paused, deleted, rerun, undone, later, moved] = await Promise.all([
    failedTask(world, 1),
    failedTask(world, 2),
    failedTask(world, 3),
    failedOf(world, '1.1.0'),
    world.create({ name: 'slow', reason: 'to pause' }),
    completeTask(world, 'deleted'),
    completeTask(world, 'rerun'),
    world.create({ name: 'undoable', context: {} }),
    laterTask(world),
    laterTask(world),
  ]);
  await world.tasker.copyTask(complete, { context: { lucky: 'taken' }, idempotencyKey: 'taken' });
  const invalid: Rows[400] = [of(complete, { by: 7 }), of(complete, { reasn: 'a misspelt key' })];
  return {
    postTaskRetry: {
      ok: [of(retried), { params: { uuid: other }, body: {} }],
      400: invalid,
      409: [of(complete)],
    },
    postTaskResolve: { ok: [of(resolved), of(resolved)], 400: invalid, 409: [of(complete)] },
    postTaskDelete: { ok: [of(deleted)], 400: invalid, 409: [of(paused)] },
    postTaskPause: { ok: [of(paused), of(paused)], 400: invalid, 409: [of(complete)] },
    postTaskStartNow: { ok: [of(later)], 400: invalid, 409: [of(complete)] },
    postTaskReschedule: {
      ok: [of(moved, { ...ACT, in: '2h' }), of(moved, { at: '2035-01-01T00:00:00Z' })],
      400: [of(moved), of(moved, { in: 'soon' }), of(moved, { in: '2h', at: '2035-01-01T00:00:00Z' })],
      409: [of(complete, { in: '2h' })],
    },
    postTaskRerun: {
      ok: [of(rerun, { ...ACT, from: 'second', dry_run: true }), of(rerun, { ...ACT, from: 'second' })],
      400: [of(rerun), of(rerun, { from: 7 })],
      404: [of(rerun, { from: 'nothing' })],
      409: [of(failed, { from: 'third' })],
    },
    postTaskUndo: {
      ok: [of(undone, { ...ACT, dry_run: true }), of(undone)],
      400: invalid,
      409: [of(complete)],
    },
    postTaskCopy: {
      ok: [
        of(complete, { ...ACT, context: { lucky: 'copy' }, idempotency_key: 'copy' }),
        { ...of(complete, { context: { lucky: 'other' } }), headers: { 'idempotency-key': 'other copy' } },
      ],
      400: [of(complete, { context: [] })],
      409: [of(complete, { context: { lucky: 'taken' }, idempotency_key: 'taken' })],
    },
    ...(await stepActRows(world)),
    getStream: {
      ok: [{}, { query: 'kind=task,step&namespace=test&state=complete&tag=a,b' }],
      400: [{ query: 'kind=odd' }, { query: 'state=odd' }],
    },
    getTaskStream: {
      ok: [{ params: { uuid: complete } }, { params: { uuid: complete }, query: 'kind=step' }],
      400: [{ params: { uuid: complete }, query: 'kind=odd' }],
    },
  };
}

async function stepActRows(world: World): Promise<Table> {
  const { complete } = world.tasks;
  const [uuid, fired, moved] = await Promise.all([
    failedTask(world, 4),
    waitingTimer(world, 'to fire'),
    waitingTimer(world, 'to move'),
  ]);
  const second: Row = { params: { uuid, step: 'second' }, body: ACT };
  const until = '2035-01-01T00:00:00Z';
  return {
    postTaskWorkflowStepRetry: {
      ok: [second],
      400: [{ ...second, body: { by: '' } }],
      404: [{ ...second, params: { uuid, step: 'nothing' } }],
      409: [{ params: { uuid: complete, step: 'second' }, body: ACT }],
    },
    postTaskWorkflowStepFire: {
      ok: [{ params: { uuid: fired, step: 'pause' }, body: ACT }],
      404: [{ params: { uuid: fired, step: 'nothing' }, body: ACT }],
      409: [{ params: { uuid: complete, step: 'second' }, body: ACT }],
    },
    postTaskWorkflowStepMove: {
      ok: [
        { params: { uuid: moved, step: 'pause' }, body: { ...ACT, until } },
        { params: { uuid: moved, step: 'pause' }, body: { in: '2h' } },
      ],
      400: [
        { params: { uuid: moved, step: 'pause' }, body: ACT },
        { params: { uuid: moved, step: 'pause' }, body: { until: 'someday' } },
      ],
      404: [{ params: { uuid: moved, step: 'nothing' }, body: { until } }],
      409: [{ params: { uuid: complete, step: 'second' }, body: { until } }],
    },
  };
}

/** Creates a task whose timer step waits. */
async function waitingTimer({ tasker, create }: World, reason: string): Promise<string> {
  const uuid = await create({ name: 'slow', reason });
  for await (const { task } of tasker.watchTask(uuid)) if (task.status === 'waiting') break;
  return uuid;
}
