import { expect, it } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError, RetryableError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { openSession, type Sql } from '../../support/database.ts';
import { invariants, setup, states, template, until } from '../../support/setup.ts';

const STEPS = { charge: [], mail: ['charge'] };
const NAMED = { namespace: 'test', name: 'demo' };

/** A bank that declines (or is busy) until it is fixed, and how often each task was charged. */
async function night(count: number, { worker = true } = {}) {
  const bank = { fixed: false };
  const charges = new Map<string, number>();
  const handlers = [
    defineHandler('charge', { inputs: { mood: 'mood' } }, ({ mood, context }) => {
      charges.set(context.taskUuid, (charges.get(context.taskUuid) ?? 0) + 1);
      if (bank.fixed) return {};
      if (mood === 'busy') throw new RetryableError('the bank is busy', { retryAfter: 3600 });
      throw new PermanentError(`card ${String(mood)} declined`, { errorType: 'card_declined' });
    }),
    defineHandler('mail', {}, () => ({})),
  ];
  const made = await setup({ templates: template(STEPS), handlers, logger: silentLogger, poolSize: 8 });
  const create = async (n: number, mood = 'bad') =>
    (await made.tasker.createTasks(Array.from({ length: n }, () => ({ ...NAMED, context: { mood } })))).map(
      (task) => task.taskUuid,
    );
  const ids = await create(count);
  const { tasker, sql } = made;
  await settled(sql, count);
  await tasker.engine.search.flush();
  if (!worker) await tasker.worker!.stop({ drainTimeoutMs: 100 });
  return { ...made, bank, charges, create, ids };
}

/** Waits until no task runs. */
const settled = (sql: Sql, count: number) =>
  until(
    () => sql<{ n: number }>(`select count(*)::int n from tasker.task where state <> 'steps_in_process'`),
    ([row]) => row!.n === count,
  );

const statusOf = async (tasker: Tasker, id: string) => (await tasker.getTask(id)).status;

it('a bulk retry by a filter retries each failed task once, with progress, a result and audit entries', async () => {
  const { tasker, sql, bank, charges } = await night(250);
  bank.fixed = true;
  const act = tasker.bulk.retry({ errorType: 'card_declined' }, { actor: 'ada', reason: 'bank is back' });
  const seen: number[] = [];
  for await (const { done, matched } of act) {
    expect(matched).toBe(250);
    seen.push(done);
  }
  expect(seen[0]).toBe(0);
  expect(seen.at(-1)).toBe(250);
  expect(seen.length).toBeGreaterThan(3);
  const result = await act.result();
  expect(result).toMatchObject({
    action: 'task_retry',
    state: 'done',
    matched: 250,
    done: 250,
    skipped: [],
    failed: [],
  });
  await until(
    () => sql<{ n: number }>(`select count(*)::int n from tasker.task where state = 'complete'`),
    ([row]) => row!.n === 250,
  );
  expect([...new Set(charges.values())]).toEqual([2]);
  const { entries } = await tasker.audit({ bulk: result.id }, { limit: 1000 });
  expect(entries).toHaveLength(251);
  expect(entries.at(-1)).toMatchObject({
    action: 'task_retry',
    target: `bulk ${result.id}`,
    actor: 'ada',
    reason: 'bank is back',
    details: { matched: 250, filter: { errorType: 'card_declined' } },
  });
  expect(entries[0]).toMatchObject({ action: 'reset', step: 'charge', actor: 'ada', reason: 'bank is back' });
  await invariants(sql);
});

it('an item that changed between the selection and the action is skipped with the reason', async () => {
  const { tasker, sql, ids, bank } = await night(6);
  const act = tasker.bulk.retry({ status: 'blocked_by_failures' });
  expect(await act.preview()).toMatchObject({ matched: 6, steps: 6 });
  const [again, cancelled, gone, waiting, resolved] = ids as [string, string, string, string, string];
  await tasker.retryStep(again, 'charge');
  await until(
    () => statusOf(tasker, again),
    (status) => status === 'blocked_by_failures',
  );
  await tasker.cancelTask(cancelled);
  await tasker.cancelTask(gone);
  await tasker.deleteTask(gone);
  await tasker.completeStep(waiting, 'charge', { result: {} });
  await tasker.resolveTask(resolved);
  bank.fixed = true;
  const { done, skipped } = await act.result();
  expect(done).toBe(1);
  const why = Object.fromEntries(skipped.map((item) => [item.taskUuid, item.why]));
  expect(why[again]).toBe('the step has run again since it was selected: it is in error now');
  expect(why[cancelled]).toBe('it has already ended: it is in cancelled');
  expect(why[gone]).toBe('the task was deleted');
  expect(why[waiting]).toMatch(/^it (is in steps_in_process now|has already ended: it is in complete)$/);
  expect(why[resolved]).toBe('it has already ended: it is in resolved_manually');
  await invariants(sql);
});

it('a bulk retry of steps accepts a filter or ids, starts waiting steps immediately, and skips unknown steps', async () => {
  const { tasker, sql, ids, bank, create } = await night(2);
  const [busy] = (await create(1, 'busy')) as [string];
  await until(
    () => statusOf(tasker, busy),
    (status) => status === 'waiting_for_retry',
  );
  await tasker.engine.search.flush();
  bank.fixed = true;
  expect(await tasker.bulk.resetSteps({ step: 'charge', stepState: 'error', error: 'BAD' }).result()).toMatchObject({
    matched: 2,
    done: 2,
  });
  const none = '00000000-0000-0000-0000-000000000000';
  const { stepUuid } = await tasker.getStep(busy, 'charge');
  const steps = [stepUuid, { taskUuid: busy, step: 'charge' }, { taskUuid: busy, step: stepUuid }, none];
  const act = tasker.bulk.retrySteps({ steps: [...steps, { taskUuid: ids[0]!, step: 'nothing' }] });
  const result = await act.result();
  expect(result).toMatchObject({ matched: 3, done: 1, skippedCount: 2 });
  expect(result.skipped.map(({ why }) => why).sort()).toEqual([`step ${none} not found`, 'step nothing not found']);
  await settled(sql, 3);
  expect(await Promise.all([...ids, busy].map((id) => statusOf(tasker, id)))).toEqual([
    'complete',
    'complete',
    'complete',
  ]);
  await invariants(sql);
});

it('tasks are cancelled, resolved and deleted by ids, and repeated, unknown and unsuitable tasks are skipped', async () => {
  const { tasker, sql, ids } = await night(6);
  const none = '00000000-0000-0000-0000-00000000000a';
  const [a, b, c, d] = ids as [string, string, string, string];
  const cancelled = await tasker.bulk.cancel({ ids: [a, a.toUpperCase(), b, none] }, { actor: 'ada' }).result();
  expect(cancelled).toMatchObject({ matched: 3, done: 2, filter: null, actor: 'ada' });
  expect(cancelled.skipped).toEqual([{ taskUuid: none, step: null, why: 'task not found' }]);
  expect(await tasker.bulk.resolve({ ids: [b, c] }).result()).toMatchObject({ done: 1, skippedCount: 1 });
  expect(await statusOf(tasker, c)).toBe('resolved_manually');
  const deleted = await tasker.bulk.delete({ ids: [a, c, d] }).result();
  expect(deleted).toMatchObject({
    done: 2,
    skipped: [{ taskUuid: d, why: 'it has not ended: it is in blocked_by_failures' }],
  });
  await tasker.engine.search.flush();
  expect((await tasker.listTasks({ namespace: 'test' }, {})).total).toBe(4);
  expect(await tasker.bulk.delete({ namespace: 'test' }).result()).toMatchObject({ matched: 1, done: 1 });
  await invariants(sql);
});

it('an action on tasks by the name or handler of a step covers the same tasks as a search whatever the state of the step', async () => {
  const { tasker, bank, create } = await night(3);
  bank.fixed = true;
  const [good] = await create(1);
  await tasker.waitForTask(good!);
  await tasker.engine.search.flush();
  // The step is pending in the failed tasks, and complete in the other task.
  for (const filter of [{ step: 'mail' }, { handler: 'mail' }]) {
    expect((await tasker.bulk.cancel(filter).preview()).matched).toBe(3);
    expect((await tasker.bulk.delete(filter).preview()).matched).toBe(1);
  }
  expect((await tasker.bulk.cancel({ step: 'mail', stepState: 'enqueued' }).preview()).matched).toBe(0);
  expect(await tasker.bulk.cancel({ step: 'mail' }).result()).toMatchObject({ done: 3, skipped: [], failed: [] });
  expect(await tasker.bulk.delete({ handler: 'mail' }).result()).toMatchObject({ done: 4, skipped: [], failed: [] });
});

it('a deletion skips a task that ran again after it was selected', async () => {
  const { tasker, sql, bank, create } = await night(0);
  bank.fixed = true;
  const [old, again] = await create(2);
  for (const id of [old!, again!]) {
    await tasker.waitForTask(id);
    await sql(
      `update tasker.task set created_at = now() - interval '40 days', done_at = now() - interval '40 days' where task_uuid = $1`,
      [id],
    );
    tasker.engine.search.writeSoon(id);
  }
  await tasker.engine.search.flush();
  const act = tasker.bulk.delete({ endedBefore: '30d' });
  expect((await act.preview()).matched).toBe(2);
  await tasker.rerunTask(again!, { from: 'charge' });
  await tasker.waitForTask(again!);
  expect(await act.result()).toMatchObject({
    done: 1,
    skipped: [{ taskUuid: again, why: expect.stringContaining('ran again') }],
  });
  expect((await tasker.getTask(again!)).status).toBe('complete');
});

it('resolving steps stores the result in each of them, and their tasks continue', async () => {
  const { tasker, sql, ids } = await night(3);
  const result = await tasker.bulk.resolveSteps({ handler: 'charge' }, { result: { paid: true } }).result();
  expect(result).toMatchObject({ matched: 3, done: 3 });
  await settled(sql, 3);
  expect((await tasker.getStep(ids[0]!, 'charge')).results?.result).toEqual({ paid: true });
  expect(await states(tasker, ids[0]!)).toEqual({ charge: 'resolved_manually', mail: 'complete' });
  await invariants(sql);
});

it('an action with an empty selection is done immediately, and an invalid target is rejected', async () => {
  const { tasker } = await setup({ worker: false });
  expect(await tasker.bulk.retry({ name: 'nothing' }).result()).toMatchObject({ matched: 0, done: 0, state: 'done' });
  expect(await tasker.bulk.cancel({ ids: [] }).result()).toMatchObject({ matched: 0, state: 'done' });
  expect(await tasker.bulk.cancel({ ended: true }).result()).toMatchObject({ matched: 0 });
  const refused = (act: () => unknown) => (message: string) => expect(act).toThrow(message);
  refused(() => tasker.bulk.retry({}))('the filter has no condition');
  refused(() => tasker.bulk.retry({ open: false }))('the filter has no condition');
  refused(() => tasker.bulk.cancel({ ids: ['x'] }))('the task id is not a UUID');
  const mixed = 'a bulk action cannot combine ids, steps and filter conditions; pass only one kind of target';
  refused(() => tasker.bulk.cancel({ ids: [], name: 'a' } as never))(mixed);
  refused(() => tasker.bulk.cancel({ open: true, ids: [] } as never))(mixed);
  refused(() => tasker.bulk.retrySteps({ ids: [], steps: [] } as never))(mixed);
  refused(() => tasker.bulk.cancel({ steps: [] }))('task cancel needs { ids: […] }');
  refused(() => tasker.bulk.retrySteps({ ids: [] }))('step retry needs { steps: […] }');
  refused(() => tasker.bulk.retrySteps({ stepState: 'complete' }))('stepState must be error or waiting_for_retry');
  await expect(tasker.bulk.retry({ nam: 'x' } as never).result()).rejects.toThrow('did you mean name?');
  await expect(tasker.bulk.show(7)).rejects.toMatchObject({ code: 'bulk_not_found' });
  await expect(tasker.bulk.resume(7).result()).rejects.toMatchObject({ code: 'bulk_not_found' });
});

it('a preview shows the selected items, changes nothing, and can be discarded', async () => {
  const { tasker, sql } = await night(12);
  await sql(`update tasker.step set retryable = false where state = 'error'`);
  const act = tasker.bulk.retry({ errorType: 'card_declined' });
  const preview = await act.preview();
  expect(preview).toMatchObject({ matched: 12, steps: 12, notRetryable: 12 });
  expect(preview.sample).toHaveLength(10);
  expect(preview.sample[0]).toMatchObject({
    template: 'test/demo@1.0.0',
    status: 'blocked_by_failures',
    steps: [{ name: 'charge', attempts: 1, retryable: false, errorType: 'card_declined', error: 'card bad declined' }],
  });
  expect(await tasker.bulk.list()).toEqual([]);
  await expect(tasker.bulk.resume(preview.id).result()).rejects.toThrow('it was never confirmed');
  await act.discard();
  expect(await sql('select (select count(*) from tasker.bulk) + (select count(*) from tasker.bulk_item) n')).toEqual([
    { n: '0' },
  ]);
  expect((await tasker.audit()).entries).toEqual([]);
});

it('an action whose iteration ends early or is aborted is stopped, and resume acts on each remaining item once', async () => {
  const { tasker, sql, charges, bank } = await night(350);
  bank.fixed = true;
  const controller = new AbortController();
  const act = tasker.bulk.retry({ errorType: 'card_declined' }, { signal: controller.signal });
  for await (const { done } of act) if (done > 0) break;
  const [first] = await tasker.bulk.list();
  expect(first).toMatchObject({ state: 'stopped', matched: 350 });
  expect(first!.done).toBeGreaterThan(0);
  expect(first!.done).toBeLessThan(350);
  controller.abort();
  await expect(tasker.bulk.resume(first!.id, { signal: controller.signal }).result()).rejects.toThrow('aborted');
  const result = await tasker.bulk.resume(first!.id, { actor: 'ben' }).result();
  expect(result).toMatchObject({ state: 'done', done: 350, skippedCount: 0 });
  await expect(tasker.bulk.resume(first!.id).result()).rejects.toThrow('it is done; start a new action instead');
  await settled(sql, 350);
  expect([...new Set(charges.values())]).toEqual([2]);
  const acts = (await tasker.audit({ bulk: first!.id }, { limit: 1000 })).entries.map(({ action }) => action);
  expect(acts.filter((action) => action === 'reset')).toHaveLength(350);
  expect(acts.filter((action) => action === 'bulk_resume')).toHaveLength(2);
});

it('stop ends an action in another process after the transaction in progress', async () => {
  const { tasker, another } = await night(300);
  const other = await another({ worker: false });
  const act = tasker.bulk.cancel({ status: 'blocked_by_failures' });
  const run = async () => {
    for await (const { id, done } of act) if (done > 0) expect(await other.bulk.stop(id)).toBe(true);
  };
  await expect(run()).rejects.toMatchObject({
    code: 'stopped',
    message: expect.stringContaining('tasker bulk resume'),
  });
  const [bulk] = await tasker.bulk.list();
  expect(bulk).toMatchObject({ state: 'stopped' });
  expect(await other.bulk.stop(bulk!.id)).toBe(false);
  expect(await other.bulk.resume(bulk!.id).result()).toMatchObject({ done: 300 });
});

it('when two processes resume the same bulk action, each item is processed once and the first process stops', async () => {
  const { tasker, sql, charges, bank, another } = await night(400);
  bank.fixed = true;
  const other = await another({ worker: false });
  const act = tasker.bulk.retry({ errorType: 'card_declined' });
  for await (const { done } of act) if (done > 0) break;
  const { id } = (await tasker.bulk.list())[0]!;
  const answers = await Promise.allSettled([tasker.bulk.resume(id).result(), other.bulk.resume(id).result()]);
  for (const answer of answers) {
    if (answer.status === 'rejected')
      expect(String(answer.reason)).toMatch(/was taken over by another process|it is done/);
  }
  expect(answers.map(({ status }) => status)).toContain('fulfilled');
  await settled(sql, 400);
  expect([...new Set(charges.values())]).toEqual([2]);
  expect(await tasker.bulk.show(id)).toMatchObject({ state: 'done', done: 400, skippedCount: 0, failedCount: 0 });
});

it('while workers fail and complete the same tasks, each failure is acted on at most once', async () => {
  const { tasker, sql, another, charges } = await night(300);
  const other = await another();
  const acts = [tasker, other, tasker].map((one) => one.bulk.retry({ status: 'blocked_by_failures' }));
  const results = await Promise.all(acts.map((act) => act.result()));
  await settled(sql, 300);
  const done = results.reduce((sum, result) => sum + result.done, 0);
  const runs = [...charges.values()].reduce((sum, n) => sum + n, 0);
  // Each retry of a failure is one more charge.
  expect(runs).toBe(300 + done);
  for (const { matched, done, skippedCount, failedCount } of results) {
    expect(failedCount).toBe(0);
    expect(done + skippedCount).toBe(matched);
  }
  await invariants(sql);
});

it('a bulk action tries a locked task again later, and the other tasks do not wait for the lock', async () => {
  const { tasker, url, ids } = await night(150);
  const session = await openSession(url);
  await session.query('begin');
  await session.query('select 1 from tasker.task where task_uuid = $1 for update', [ids[20]]);
  const act = tasker.bulk.cancel({ status: 'blocked_by_failures' });
  for await (const { done } of act) if (done === 149) await session.query('rollback');
  expect(await act.result()).toMatchObject({ done: 150, failed: [] });
});

it('an item whose action fails is marked as failed, and the others in its chunk are processed', async () => {
  const { tasker, sql, ids } = await night(40);
  await sql(`
    create function tasker.refuse() returns trigger language plpgsql as $$
    begin if new.task_uuid = '${ids[7]}' then raise 'not this one'; end if; return new; end $$`);
  await sql('create trigger refuse before update on tasker.task for each row execute function tasker.refuse()');
  const result = await tasker.bulk.cancel({ status: 'blocked_by_failures' }).result();
  expect(result).toMatchObject({ matched: 40, done: 39, failed: [{ taskUuid: ids[7], why: 'not this one' }] });
  await sql('drop trigger refuse on tasker.task');
});

it('without the permission to write, a bulk action selects nothing and changes nothing', async () => {
  const { tasker, sql, url, another } = await night(3);
  await sql(`create role reader_${process.pid} login password 'x'`);
  await sql(`grant usage on schema tasker to reader_${process.pid}`);
  await sql(`grant select on all tables in schema tasker to reader_${process.pid}`);
  const as = new URL(url);
  as.username = `reader_${process.pid}`;
  as.password = 'x';
  const reader = await another({
    databaseUrl: as.toString(),
    worker: false,
    migrate: false,
    templates: [],
    autoStart: false,
  });
  await expect(reader.bulk.cancel({ open: true }).result()).rejects.toThrow('permission denied');
  expect(await tasker.bulk.list()).toEqual([]);
  expect((await tasker.listTasks({ status: 'cancelled' }, {})).total).toBe(0);
  await reader.stop();
  await sql(`drop owned by reader_${process.pid}`);
  await sql(`drop role reader_${process.pid}`);
});
