import { expect, it } from 'vitest';
import { examine } from '../../../src/app/project/doctor.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { ageSchedules } from '../../../src/store/schedules/age.ts';
import { DEMO, deferred, setup, template } from '../../support/setup.ts';
import { approvalStep, waitingBench } from '../../support/waits/waiting.ts';

const HOUR = 3_600_000;
const QUIET = { lost: 0, hungSlots: 0 };

/** Returns a finding of `tasker doctor`, or undefined if it has nothing to report. */
async function doctor(databaseUrl: string, name: 'slots' | 'approvals' | 'schedules'): Promise<string | undefined> {
  const checks = await examine({ databaseUrl, templates: [], handlers: [] });
  return checks.find((check) => check.name === name)?.found;
}

it('a slot that a hung handler holds after its timeout counts as taken, and as hung', async () => {
  const gate = deferred();
  const hangs = defineHandler('work', {}, async () => {
    await gate.promise;
    return {};
  });
  const { tasker, url } = await setup({
    templates: template({ work: { retry: { max_attempts: 1 } } }),
    handlers: [hangs],
    handlerTimeoutMs: 60,
    concurrency: 2,
    leaseMs: 2_000,
  });
  const tasks = await tasker.createTasks([DEMO, DEMO]);
  for (const { taskUuid } of tasks) await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  await expect
    .poll(() => tasker.status(), { timeout: 10_000 })
    .toMatchObject({ workers: { alive: 1, slots: 2, slotsUsed: 2, hungSlots: 2 }, queues: [{ running: 0 }] });
  expect(await tasker.queues()).toMatchObject([{ namespace: 'test', slots: 2, slotsTaken: 2, hungSlots: 2 }]);
  const { name } = (await tasker.listWorkers())[0]!;
  expect(await tasker.getWorker(name)).toMatchObject({ running: 2, hung: 2, steps: [] });
  expect(await doctor(url, 'slots')).toBe(`handlers whose attempt is over still hold slots of ${name} (2 of 2)`);
  gate.resolve();
  await expect
    .poll(() => tasker.status(), { timeout: 10_000 })
    .toMatchObject({ workers: { slotsUsed: 0, hungSlots: 0 } });
  expect(await doctor(url, 'slots')).toBeUndefined();
});

it('a worker that was killed counts as lost for an hour, and its namespace stays among the queues', async () => {
  const { tasker, sql } = await setup({ worker: false, templates: template({ work: [] }) });
  expect((await tasker.status()).attention.noWorker).toBe(true);
  // Only registered, so that no heartbeat of it interferes.
  await tasker.engine.registerWorker({
    name: 'killed',
    host: 'h',
    pid: 1,
    namespaces: ['test'],
    callables: [],
    concurrency: 9,
    leaseMs: 600_000,
  });
  await expect.poll(() => tasker.status()).toMatchObject({ workers: { alive: 1 }, attention: { noWorker: false } });
  await sql(`update tasker.worker set lease_until = now() - interval '1 second'`);
  expect(await tasker.status()).toMatchObject({ workers: { alive: 0, lost: 1 }, attention: { noWorker: true } });

  // Another worker takes over its steps. The server of the tests may have just started.
  await tasker.engine.sweep(0);
  expect(await sql(`select state::text from tasker.worker`)).toEqual([{ state: 'buried' }]);
  expect(await tasker.status()).toMatchObject({
    workers: { alive: 0, lost: 1 },
    queues: [{ namespace: 'test', ready: 0, running: 0, workers: 0 }],
    attention: { noWorker: true },
  });
  expect(await tasker.queues()).toMatchObject([{ namespace: 'test', workers: [], lost: ['killed'] }]);
  await sql(`update tasker.worker set lease_until = now() - interval '61 minutes'`);
  expect(await tasker.status()).toMatchObject({ workers: { lost: 0 }, queues: [] });
});

it('a worker that stopped, or that registered again after its lease was lost, is not lost', async () => {
  const { tasker, another, sql } = await setup({ worker: false, templates: template({ work: [] }) });
  const first = await another({ worker: true, namespaces: ['test'] });
  await first.stop();
  const back = await another({ worker: true, namespaces: ['test'], name: 'back', leaseMs: 2_000 });
  await sql(`update tasker.worker set state = 'buried', lease_until = now() where name = 'back'`);
  await expect
    .poll(() => sql(`select 1 one from tasker.worker where name = 'back' and state = 'alive'`), { timeout: 10_000 })
    .toHaveLength(1);
  expect(await tasker.status()).toMatchObject({ workers: { ...QUIET, alive: 1 }, attention: { noWorker: false } });
  await back.stop();
});

it('the status counts the approvals that wait for a decision', async () => {
  const { tasker, create, work, url } = await waitingBench({ ask: approvalStep(), pay: ['ask'] });
  expect(await doctor(url, 'approvals')).toBeUndefined();
  const tasks = [await create(), await create(), await create()];
  await work();
  expect(await tasker.status()).toMatchObject({ attention: { approvals: 3 } });
  expect((await tasker.queues()).map(({ approvals }) => approvals)).toEqual([3]);
  expect(await doctor(url, 'approvals')).toBe('3 approvals wait for a decision');
  await tasker.approvals.vote(tasks[0]!, 'ask', { by: 'ann', decision: 'approve' });
  await tasker.cancelTask(tasks[1]!);
  expect((await tasker.status()).attention.approvals).toBe(1);
});

it('a schedule whose task failed, or could not be created, is failing until a task of it completes', async () => {
  let broken = true;
  const work = defineHandler('work', {}, () => {
    if (broken) throw new PermanentError('no');
    return {};
  });
  const { tasker, url } = await setup({ templates: template({ work: [] }), handlers: [work] });
  const failing = async () => (await tasker.status()).attention.failingSchedules;
  const fire = async () => {
    await ageSchedules(tasker.engine.database, HOUR);
    await tasker.engine.schedules.fire();
    const { last } = await tasker.schedules.get('hourly');
    return last[0]!.taskUuid!;
  };
  await tasker.schedules.create({ name: 'hourly', template: 'test/demo@1.0.0', every: '1h' });
  expect(await failing()).toBe(0);
  await tasker.waitForTask(await fire(), { timeoutMs: 20_000 });
  expect(await failing()).toBe(1);
  expect(await tasker.queues()).toMatchObject([{ namespace: 'test', failingSchedules: 1 }]);
  expect(await doctor(url, 'schedules')).toBe('the last task of 1 schedule failed, or could not be created');

  // A task that has not ended decides nothing.
  await tasker.pause({ template: 'test/demo' }, { actor: 'ann' });
  const open = await fire();
  expect(await failing()).toBe(1);
  broken = false;
  await tasker.resume({ template: 'test/demo' }, { actor: 'ann' });
  await tasker.waitForTask(open, { timeoutMs: 20_000 });
  expect(await failing()).toBe(0);
  expect(await doctor(url, 'schedules')).toBeUndefined();
  await tasker.schedules.pause('hourly');
  expect(await failing()).toBe(0);
});

it('a schedule that its failures paused is failing, and one that a person paused is not', async () => {
  const work = defineHandler('work', {}, () => {
    throw new PermanentError('no');
  });
  const { tasker } = await setup({ templates: template({ work: [] }), handlers: [work] });
  await tasker.schedules.create({ name: 'hourly', template: 'test/demo@1.0.0', every: '1h', onFailure: 'pause' });
  for (let i = 0; i < 2; i++) {
    await ageSchedules(tasker.engine.database, HOUR);
    await tasker.engine.schedules.fire();
    const { last } = await tasker.schedules.get('hourly');
    if (i === 0) await tasker.waitForTask(last[0]!.taskUuid!, { timeoutMs: 20_000 });
  }
  expect(await tasker.schedules.get('hourly')).toMatchObject({ state: 'paused', pausedBy: 'schedule' });
  expect((await tasker.status()).attention.failingSchedules).toBe(1);
  await tasker.schedules.resume('hourly');
  await tasker.schedules.pause('hourly', { actor: 'ann' });
  expect((await tasker.status()).attention.failingSchedules).toBe(0);
});

it('the queue of a namespace counts its stale tasks, late timers and schedules, and dead deliveries', async () => {
  const { tasker, create, sql } = await waitingBench({ pay: [] });
  const late = { stale: 0, deadDeliveries: 0, lateTimers: 0, lateSchedules: 0, atLeast: [] };
  const taskUuid = await create();
  expect(await tasker.queues()).toMatchObject([{ namespace: 'test', ...late }]);
  await tasker.schedules.create({ name: 'hourly', template: 'test/demo@1.0.0', every: '1h' });
  await sql(`update tasker.schedule set wake_at = now() - interval '1 minute'`);
  await sql(
    `insert into tasker.wait (task_uuid, idx, kind, template_id, rank, due_at)
     select task_uuid, 7, 'timer', template_id, rank, now() - interval '1 minute' from tasker.task`,
  );
  await sql(
    `insert into tasker.task_watch (task_uuid, check_at, rule, minutes, since, noted_at)
     select task_uuid, now(), 'max_duration_minutes', 1, now(), now() from tasker.task
     on conflict (task_uuid) do update set rule = excluded.rule, minutes = 1, since = now(), noted_at = now()`,
  );
  await sql(`insert into tasker.event_dead (group_id, id, task_uuid, attempts, error) values (1, 1, $1, 3, 'no')`, [
    taskUuid,
  ]);
  const found = { stale: 1, deadDeliveries: 1, lateTimers: 1, lateSchedules: 1 };
  expect(await tasker.queues()).toMatchObject([{ namespace: 'test', ...found, atLeast: [] }]);
  expect((await tasker.status()).attention).toMatchObject({ ...found, atLeast: [] });

  // Counting stops at 10,000, and all these numbers say that there may be more.
  await sql(
    `insert into tasker.event_dead (group_id, id, task_uuid, attempts, error)
     select 1, i, $1, 3, 'no' from generate_series(2, 10001) i`,
    [taskUuid],
  );
  await sql(
    `insert into tasker.wait (task_uuid, idx, kind, template_id, rank, since)
     select task_uuid, i, 'approval', template_id, rank, now() from tasker.task, generate_series(100, 10100) i`,
  );
  expect(await tasker.queues()).toMatchObject([
    { deadDeliveries: 10_000, approvals: 10_000, atLeast: ['deadDeliveries', 'approvals'] },
  ]);
  expect(await tasker.status()).toMatchObject({
    attention: { deadDeliveries: 10_001, approvals: 10_000, atLeast: ['approvals'] },
    waits: expect.arrayContaining([expect.objectContaining({ kind: 'approval', count: 10_000, countIsExact: false })]),
  });
});
