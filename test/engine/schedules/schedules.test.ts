import { expect, test } from 'vitest';
import type { CreateTaskerOptions } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import type { ScheduleOptions } from '../../../src/engine/schedules/options.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { ageSchedules } from '../../../src/store/schedules/age.ts';
import { setup, template, until } from '../../support/setup.ts';
import { idleMsOf, leastOf } from '../../support/suite/measure.ts';

const once = {
  templates: [template({ a: [] })],
  handlers: [defineHandler('a', {}, () => ({ ok: true }))],
} satisfies CreateTaskerOptions;
const hourly = (more: Partial<ScheduleOptions> = {}): ScheduleOptions => ({
  name: 'hourly',
  template: 'test/demo@1.0.0',
  every: '1h',
  ...more,
});

const HOUR = 3_600_000;

/** Moves the schedules back, as if that much time had passed. */
const age = (tasker: Tasker, ms: number) => ageSchedules(tasker.engine.database, ms);

test('a schedule creates a task at its due time, and the task names its schedule', async () => {
  const contexts: unknown[] = [];
  const { tasker } = await setup({
    templates: once.templates,
    handlers: [
      defineHandler('a', {}, ({ context }) => {
        contexts.push(context.schedule);
        return {};
      }),
    ],
  });
  const created = await tasker.schedules.create(hourly({ context: { order: 7 }, tags: ['nightly'], priority: 5 }));
  expect(created).toMatchObject({ words: 'every hour', state: 'active', last: [] });
  expect(created.next).toHaveLength(5);
  await age(tasker, HOUR);
  await tasker.engine.announce.schedules();
  const { last } = await until(
    () => tasker.schedules.get('hourly'),
    (schedule) => schedule.last[0]?.taskState === 'complete',
  );
  expect(last).toMatchObject([{ outcome: 'created', cause: 'due', reason: null }]);
  const task = await tasker.getTask(last[0]!.taskUuid!);
  expect(task).toMatchObject({ context: { order: 7 }, tags: ['nightly'], priority: 5, initiator: 'schedule hourly' });
  expect(contexts).toEqual([{ name: 'hourly', due_at: last[0]!.dueAt, previous_due_at: null, cause: 'due' }]);
});

test('a worker is notified of a new schedule immediately', async () => {
  const { tasker } = await setup(once);
  const late: number[] = [];
  let schedules = 0;
  const firstFiring = async () => {
    const name = `every-second-${++schedules}`;
    const began = performance.now();
    await tasker.schedules.create(hourly({ name, every: 1 }));
    const { last } = await until(
      () => tasker.schedules.get(name),
      (schedule) => schedule.last.length > 0,
    );
    const took = performance.now() - began;
    const first = last.at(-1)!;
    late.push(Date.parse(first.at) - Date.parse(first.dueAt));
    await tasker.schedules.pause(name);
    return late.at(-1)! < 500 ? took : Number.POSITIVE_INFINITY;
  };
  expect(await leastOf(2_000, firstFiring)).toBeLessThan(2_000);
  expect(late.at(-1)).toBeLessThan(500);
});

const missed = async (catchUp: 'none' | 'last' | 'all', more: Partial<ScheduleOptions> = {}) => {
  const { tasker } = await setup({ ...once, worker: false });
  await tasker.schedules.create(hourly({ catchUp, ...more }));
  await age(tasker, 5.5 * HOUR);
  await tasker.engine.schedules.fire();
  return (await tasker.schedules.get('hourly')).last.map(({ outcome, cause, reason }) => [outcome, cause, reason]);
};

test('catch_up determines which missed due times get a task, and the others are listed with the reason', async () => {
  const none = await missed('none');
  expect(none.map(([outcome]) => outcome)).toEqual(['missed', 'missed', 'missed', 'missed', 'missed']);
  expect(none[0]![2]).toBe('no worker fired it in time, and catch_up is none');
  const last = await missed('last');
  expect(last.map(([outcome]) => outcome)).toEqual(['created', 'missed', 'missed', 'missed', 'missed']);
  expect(last[0]![1]).toBe('catch_up');
  const all = await missed('all');
  expect(all.map(([outcome]) => outcome)).toEqual(['created', 'created', 'created', 'created', 'created']);
  const window = await missed('all', { catchUpWindow: '2h' });
  expect(window.map(([outcome]) => outcome)).toEqual(['created', 'created', 'missed', 'missed', 'missed']);
  expect(window[2]![2]).toMatch(/catch_up_window/);
});

test('a long outage is listed in a bounded number of rows', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  await tasker.schedules.create(hourly({ every: 1, catchUp: 'last' }));
  await age(tasker, 240 * HOUR);
  expect(await idleMsOf(() => tasker.engine.schedules.fire())).toBeLessThan(5_000);
  const firings = await tasker.schedules.firings('hourly', { limit: 1000 });
  expect(firings.length).toBeLessThan(150);
  const folded = firings.find(({ until }) => until !== null)!;
  expect(Date.parse(folded.until!) - Date.parse(folded.dueAt)).toBeGreaterThan(9 * 86_400_000);
  expect(firings.filter(({ outcome }) => outcome === 'created').length).toBeGreaterThan(0);
});

test('overlap: skip creates no task while one is open, and queue_one keeps the latest due time', async () => {
  const { tasker, sql } = await setup({ ...once, worker: false });
  const tick = async () => {
    await age(tasker, HOUR);
    await tasker.engine.schedules.fire();
  };
  await tasker.schedules.create(hourly({ overlap: 'skip' }));
  await tick();
  await tick();
  const skipping = await tasker.schedules.get('hourly');
  expect(skipping.last.map(({ outcome }) => outcome)).toEqual(['skipped', 'created']);
  expect(skipping.last[0]!.reason).toBe(`task ${skipping.last[1]!.taskUuid} is still open (overlap: skip)`);

  await tasker.schedules.update('hourly', { overlap: 'queue_one' });
  await tick();
  await tick();
  const queueing = await tasker.schedules.get('hourly');
  expect(queueing.last.map(({ outcome }) => outcome)).toEqual(['queued', 'skipped', 'skipped', 'created']);
  expect(queueing.last[1]!.reason).toMatch(/^replaced by the due time/);
  expect(queueing.queued).toBe(queueing.last[0]!.dueAt);
  await tasker.cancelTask(queueing.last[3]!.taskUuid!);
  await sql(`update tasker.schedule set wake_at = now()`);
  await tasker.engine.schedules.fire();
  const after = await tasker.schedules.get('hourly');
  expect(after.last[0]).toMatchObject({ outcome: 'created', cause: 'queued' });
  expect(after.queued).toBe(null);
});

test('after its overlap changed from allow to skip, a schedule skips while one of its own tasks is open', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  const names = ['ours', 'other', 'ended'] as const;
  for (const name of names) await tasker.schedules.create(hourly({ name, overlap: 'allow' }));
  const tick = async () => {
    await age(tasker, HOUR);
    await tasker.engine.schedules.fire();
  };
  const outcomesOf = async (name: string) => (await tasker.schedules.get(name)).last.map(({ outcome }) => outcome);
  await tick();
  await tick();
  for (const { taskUuid } of (await tasker.schedules.get('ended')).last) await tasker.cancelTask(taskUuid!);
  for (const name of ['ours', 'ended']) await tasker.schedules.update(name, { overlap: 'skip' });
  await tick();
  expect(await outcomesOf('ours')).toEqual(['skipped', 'created', 'created']);
  expect(await outcomesOf('other')).toEqual(['created', 'created', 'created']);
  expect(await outcomesOf('ended')).toEqual(['created', 'created', 'created']);
  // The open task of another schedule does not count.
  for (const { taskUuid } of (await tasker.schedules.get('ours')).last) if (taskUuid) await tasker.cancelTask(taskUuid);
  await tick();
  expect(await outcomesOf('ours')).toEqual(['created', 'skipped', 'created', 'created']);
});

test('overlap: skip creates no task while a task that was rerun is open', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  const tick = async () => {
    await age(tasker, HOUR);
    await tasker.engine.schedules.fire();
    return (await tasker.schedules.get('hourly')).last;
  };
  await tasker.schedules.create(hourly({ overlap: 'skip' }));
  const [first] = await tick();
  await tasker.cancelTask(first!.taskUuid!);
  const [second] = await tick();
  expect(second!.outcome).toBe('created');
  await tasker.cancelTask(second!.taskUuid!);
  await tasker.rerunTask(first!.taskUuid!, { from: 'a' });
  const [third] = await tick();
  expect(third).toMatchObject({ outcome: 'skipped', reason: `task ${first!.taskUuid} is still open (overlap: skip)` });
});

test('overlap: cancel_running cancels the open task before the next task is created', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  await tasker.schedules.create(hourly({ overlap: 'cancel_running' }));
  for (let i = 0; i < 2; i++) {
    await age(tasker, HOUR);
    await tasker.engine.schedules.fire();
  }
  const { last } = await tasker.schedules.get('hourly');
  expect(last.map(({ outcome, taskState }) => [outcome, taskState])).toEqual([
    ['created', 'steps_in_process'],
    ['created', 'cancelled'],
  ]);
});

test('on_failure: pause pauses the schedule once, and a resume lets it run again', async () => {
  const { tasker } = await setup({
    templates: [template({ a: { retry: { max_attempts: 1, retryable: false } } })],
    handlers: [
      defineHandler('a', {}, () => {
        throw new Error('disk full');
      }),
    ],
  });
  await tasker.schedules.create(hourly({ onFailure: 'pause' }));
  const tick = async () => {
    await age(tasker, HOUR);
    await tasker.engine.schedules.fire();
  };
  await tick();
  const { last } = await until(
    () => tasker.schedules.get('hourly'),
    (schedule) => schedule.last[0]?.taskState === 'blocked_by_failures',
  );
  await tick();
  // At each tick, the worker may also be firing the schedule, and may not have finished yet.
  const paused = await until(
    () => tasker.schedules.get('hourly'),
    (schedule) => schedule.state === 'paused',
  );
  expect(paused).toMatchObject({
    state: 'paused',
    pausedBy: 'schedule',
    pauseReason: `task ${last[0]!.taskUuid} failed (on_failure: pause)`,
  });
  expect(await tasker.schedules.resume('hourly')).toBe(true);
  expect(await tasker.schedules.resume('hourly')).toBe(false);
  await tick();
  const { state, last: outcomes } = await until(
    () => tasker.schedules.get('hourly'),
    (schedule) => schedule.last.length === 3,
  );
  expect(state).toBe('active');
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['created', 'missed', 'created']);
  expect(outcomes[1]!.reason).toBe('the schedule was paused');
});

test('a due time whose task cannot be created has an outcome with the error, and the schedule continues', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  await tasker.schedules.create(hourly({ template: 'test/gone@latest' }));
  await tasker.schedules.create(hourly({ name: 'other' }));
  await age(tasker, HOUR);
  await tasker.engine.schedules.fire();
  const [gone, other] = await tasker.schedules.list();
  expect(gone).toMatchObject({
    name: 'hourly',
    state: 'active',
    last: [{ outcome: 'failed', reason: expect.stringContaining('no version of template test/gone is registered') }],
  });
  expect(other!.last).toMatchObject([{ outcome: 'created' }]);
});

test('the status and the metrics count a schedule that no worker has fired as late', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  await tasker.schedules.create(hourly());
  expect(await tasker.status()).toMatchObject({ attention: { lateSchedules: 0 } });
  await age(tasker, HOUR + 15_000);
  expect(await tasker.status()).toMatchObject({ attention: { lateSchedules: 1 } });
  expect(await tasker.metrics.text()).toContain('tasker_late_schedules 1');
  await tasker.engine.schedules.fire();
  expect(await tasker.status()).toMatchObject({ attention: { lateSchedules: 0 } });
});

test('the version latest is resolved at the due time to the highest version, although another one is active', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  await tasker.registerTemplates(['1.9.0', '1.10.0', '1.10.0-beta'].map((version) => template({ a: [] }, { version })));
  await tasker.activateTemplate('test/demo@1.9.0');
  await tasker.schedules.create(hourly({ template: 'test/demo@latest' }));
  await age(tasker, HOUR);
  await tasker.engine.schedules.fire();
  const { last } = await tasker.schedules.get('hourly');
  expect((await tasker.getTask(last[0]!.taskUuid!)).version).toBe('1.10.0');
});

test('no due time is repeated when the clock is set back', async () => {
  const { tasker, sql } = await setup({ ...once, worker: false });
  await tasker.schedules.create(hourly({ cron: '0 * * * *', every: undefined, catchUp: 'all' }));
  await age(tasker, HOUR);
  await tasker.engine.schedules.fire();
  const before = await tasker.schedules.get('hourly');
  // The stored due times are in the future for a clock that was set back.
  await sql(
    `update tasker.schedule set passed_at = passed_at + interval '3 hours', next_due = next_due + interval '3 hours', wake_at = wake_at + interval '3 hours'`,
  );
  await tasker.schedules.update('hourly', { cron: '30 * * * *' });
  const { next, lastDueAt } = await tasker.schedules.get('hourly');
  expect(Date.parse(next[0]!)).toBeGreaterThan(Date.parse(lastDueAt!));
  expect(before.last).toHaveLength(1);
});

test('two processes handle each due time once', async () => {
  const { tasker, another, sql } = await setup({ ...once, worker: false });
  const others = [tasker, await another(), await another()];
  for (let i = 0; i < 20; i++) await tasker.schedules.create(hourly({ name: `s${i}`, catchUp: 'all' }));
  await age(tasker, 10 * HOUR);
  await Promise.all(others.flatMap((one) => [one.engine.schedules.fire(), one.engine.schedules.fire()]));
  await tasker.engine.schedules.fire();
  const rows = await sql(`select count(*)::int n, count(distinct task_uuid)::int tasks from tasker.schedule_firing`);
  expect(rows).toEqual([{ n: 200, tasks: 200 }]);
  expect(await sql(`select count(*)::int n from tasker.task`)).toEqual([{ n: 200 }]);
});

test('a trigger immediately creates one task per key even for a paused schedule', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  await tasker.schedules.create(hourly({ overlap: 'skip' }), { paused: true });
  const first = await tasker.schedules.trigger('hourly', { idempotencyKey: 'k', context: { n: 1 }, reason: 'by hand' });
  expect(await tasker.schedules.trigger('hourly', { idempotencyKey: 'k' })).toBe(first);
  const second = await tasker.schedules.trigger('hourly');
  expect(second).not.toBe(first);
  expect((await tasker.getTask(first)).context).toEqual({ n: 1 });
  const { last, state } = await tasker.schedules.get('hourly');
  expect(state).toBe('paused');
  expect(last.map(({ cause }) => cause)).toEqual(['trigger', 'trigger']);
  const { entries } = await tasker.audit({ action: 'schedule_trigger' });
  expect(entries).toHaveLength(2);
});

test('a backfill creates the tasks of past due times once, and a dry run only lists them', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  await tasker.schedules.create(hourly({ every: undefined, cron: '0 2 * * *', timezone: 'Europe/Berlin' }));
  const range = { from: '2026-03-27T00:00:00Z', to: '2026-03-30T12:00:00Z' };
  const planned = await tasker.schedules.backfill('hourly', { ...range, dryRun: true });
  expect(planned.map(({ dueAt, outcome }) => [dueAt, outcome])).toEqual([
    ['2026-03-27T01:00:00.000Z', 'planned'],
    ['2026-03-28T01:00:00.000Z', 'planned'],
    ['2026-03-29T01:00:00.000Z', 'planned'],
    ['2026-03-30T00:00:00.000Z', 'planned'],
  ]);
  const done = await tasker.schedules.backfill('hourly', range);
  expect(done.map(({ outcome }) => outcome)).toEqual(['created', 'created', 'created', 'created']);
  const again = await tasker.schedules.backfill('hourly', range);
  expect(again.map(({ outcome, taskUuid }) => [outcome, taskUuid])).toEqual(
    done.map(({ taskUuid }) => ['exists', taskUuid]),
  );
  const scheduled = await tasker.engine.schedules.ofTasks([done[1]!.taskUuid!]);
  expect([...scheduled.values()]).toEqual([
    {
      name: 'hourly',
      due_at: '2026-03-28T01:00:00.000Z',
      previous_due_at: '2026-03-27T01:00:00.000Z',
      cause: 'backfill',
    },
  ]);
  await expect(tasker.schedules.backfill('hourly', { from: range.from, to: '2099-01-01T00:00:00Z' })).rejects.toThrow(
    /to is after now/,
  );
});

test('invalid input is rejected with its place and a correction', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  const refused = async (more: object) =>
    tasker.schedules.create({ ...hourly(), ...more } as ScheduleOptions).then(
      () => 'accepted',
      (error: Error & { code: string }) => `${error.code}: ${error.message}`,
    );
  expect(await refused({ every: '-5m' })).toMatch(/schedule_invalid: schedule hourly: `every` must be a duration/);
  expect(await refused({ every: 0.5 })).toMatch(/at least one second/);
  expect(await refused({ every: null })).toMatch(/`cron` is missing; write/);
  expect(await refused({ cron: '0 9 * * *' })).toMatch(/`every` cannot be combined with `cron`/);
  expect(await refused({ every: undefined, cron: '0 0 31 2 *' })).toMatch(/never matches/);
  expect(await refused({ timezone: 'Europe/Berln' })).toMatch(/not a known time zone; did you mean `Europe\/Berlin`\?/);
  expect(await refused({ start: '+300000-01-01T00:00:00Z' })).toMatch(
    /`start` must be a date and time with a zone.*year 9999/,
  );
  expect(await refused({ end: new Date(Number.NaN) })).toMatch(/`end` must be a date/);
  expect(await refused({ end: '2020-01-01T00:00:00Z' })).toMatch(/no due time after now: its end is 2020/);
  expect(await refused({ template: 'demo' })).toMatch(/namespace\/name@version/);
  expect(await refused({ catchup: 'all' })).toMatch(/unknown field catchup; did you mean catchUp\?/);
  expect(await refused({ name: 'ä b' })).toMatch(/letters, digits/);
  expect(await refused({ overlap: 'skp' })).toMatch(/did you mean `skip`/);
  expect(await refused({})).toBe('accepted');
  expect(await refused({})).toMatch(/conflict: schedule hourly already exists/);
  await expect(tasker.schedules.get('hourl')).rejects.toThrow('schedule hourl not found; did you mean hourly?');
});

test('jitter delays each due time by a fixed amount, and is not part of the identity', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  const { next, nextFiringAt } = await tasker.schedules.create(hourly({ jitter: '30m' }));
  const delay = Date.parse(nextFiringAt!) - Date.parse(next[0]!);
  expect(delay).toBeGreaterThanOrEqual(0);
  expect(delay).toBeLessThan(1_800_000);
  expect((await tasker.schedules.get('hourly')).nextFiringAt).toBe(nextFiringAt);
  await age(tasker, 1.5 * HOUR);
  await tasker.engine.schedules.fire();
  const { last } = await tasker.schedules.get('hourly');
  expect(last).toHaveLength(1);
});

test('deleting a schedule keeps its tasks', async () => {
  const { tasker } = await setup({ ...once, worker: false });
  await tasker.schedules.create(hourly());
  const taskUuid = await tasker.schedules.trigger('hourly');
  await tasker.schedules.delete('hourly', { actor: 'ann' });
  expect(await tasker.schedules.list()).toEqual([]);
  expect((await tasker.getTask(taskUuid)).taskUuid).toBe(taskUuid);
  await tasker.cancelTask(taskUuid);
  await tasker.deleteTask(taskUuid);
});
