import { describe, expect, it, onTestFinished } from 'vitest';
import { OF_THIS_DATABASE, openSession } from '../../support/database.ts';
import { eventLog, writeEvents } from '../../support/events/event-log.ts';
import { completed, endedAgo, endTurn, rowsOf } from '../../support/retention.ts';
import { DEMO, invariants, setup, template, until } from '../../support/setup.ts';

const NOW = { olderThan: '0s' };

describe('a prune', () => {
  it('deletes ended tasks with all their rows except the audit and the identity, and no other task', async () => {
    const { tasker, sql, taskUuids, another } = await completed(3);
    const client = await another({ worker: false });
    const open = await client.createTask({ namespace: 'test', name: 'demo' });
    await tasker.rerunTask(taskUuids[0]!, { from: 'a', actor: 'ada' });
    await tasker.waitForTask(taskUuids[0]!);
    await tasker.waitForTask(open.taskUuid);
    await endedAgo(sql, '3 hours', taskUuids);
    const report = await tasker.prune({ olderThan: '2h' }, { actor: 'ben', reason: 'disk' }).result();
    expect(report).toMatchObject({ deleted: 3, skipped: 0, failed: 0, reasons: {}, files: [], matched: null });
    expect(await rowsOf(sql, taskUuids)).toEqual({ operator_action: 1, task_identity: 3 });
    await tasker.engine.search.flush();
    expect(await rowsOf(sql, taskUuids)).toEqual({ operator_action: 1, task_identity: 3 });
    expect((await tasker.getTask(open.taskUuid)).status).toBe('complete');
    expect((await tasker.status()).prune).toMatchObject({
      byPolicy: false,
      isRunning: false,
      deleted: 3,
      endedAt: expect.stringMatching(/^20/),
    });
    expect((await tasker.audit({ action: 'prune' })).entries).toMatchObject([
      {
        actor: 'ben',
        reason: 'disk',
        door: 'library',
        target: 'tasks',
        details: {
          filter: { olderThan: '2h' },
          archive: null,
          deleted: 3,
          prune: report.id,
          complete: true,
          skipped: 0,
        },
      },
    ]);
    // The rerun is still readable in the audit, with the name of its step.
    expect((await tasker.audit({ task: taskUuids[0]! })).entries).toMatchObject([{ action: 'rerun', step: 'a' }]);
    await invariants(sql);
  });

  it('has a preview that only counts the tasks by template and state', async () => {
    const { tasker, sql, taskUuids } = await completed(12);
    await tasker.rerunTask(taskUuids[0]!, { from: 'b' });
    await tasker.waitForTask(taskUuids[0]!);
    await endedAgo(sql, '3 hours', taskUuids.slice(0, 11));
    const act = tasker.prune({ olderThan: '2h' });
    const preview = await act.preview();
    expect(preview).toMatchObject({
      matched: 11,
      groups: [{ template: 'test/demo@1.0.0', state: 'complete', count: 11, oldest: expect.stringMatching(/^20.*Z$/) }],
      sample: [...taskUuids].slice(0, 11).sort().slice(0, 10),
    });
    expect(preview.bytes).toBeGreaterThanOrEqual(0);
    expect(await rowsOf(sql, taskUuids)).toMatchObject({ task: 12 });
    expect(await act.result()).toMatchObject({ matched: 11, deleted: 11 });
  });

  it('finds no tasks in an empty database, or in a database without the template', async () => {
    const { tasker } = await setup({ worker: false });
    expect(await tasker.prune(NOW).preview()).toMatchObject({ matched: 0, groups: [], sample: [], bytes: 0 });
    expect(await tasker.prune({ ...NOW, name: 'none' }).result()).toMatchObject({ deleted: 0 });
  });

  it('deletes only tasks that meet all conditions', async () => {
    const templates = [
      template({ a: [] }),
      template({ a: [] }, { version: '2.1.0' }),
      template({ a: [] }, { namespace: 'shop' }),
      template({ a: [] }, { name: 'other' }),
    ];
    const { tasker, sql } = await setup({ templates, worker: false });
    const ids: Record<string, string> = {};
    for (const [label, request] of Object.entries({
      demo: DEMO,
      second: { ...DEMO, version: '2.1.0' },
      shop: { ...DEMO, namespace: 'shop' },
      other: { ...DEMO, name: 'other' },
      open: DEMO,
      resolved: DEMO,
    })) {
      ids[label] = (await tasker.createTask(request)).taskUuid;
      if (label === 'resolved') await tasker.resolveTask(ids[label]);
      else if (label !== 'open') await tasker.cancelTask(ids[label]);
    }
    const label = (uuid: string) => Object.keys(ids).find((key) => ids[key] === uuid)!;
    const found = async (filter: object) =>
      (await tasker.prune({ ...NOW, ...filter }).preview()).sample.map(label).sort();
    expect(await found({})).toEqual(['demo', 'other', 'resolved', 'second', 'shop']);
    expect(await found({ namespace: 'shop' })).toEqual(['shop']);
    expect(await found({ name: 'demo' })).toEqual(['demo', 'resolved', 'second', 'shop']);
    expect(await found({ templateVersion: '2.x' })).toEqual(['second']);
    expect(await found({ status: 'resolved_manually' })).toEqual(['resolved']);
    expect(await found({ status: ['resolved_manually', 'cancelled'], name: 'other' })).toEqual(['other']);
    await endedAgo(sql, '2 hours', [ids.demo!]);
    expect(await found({ olderThan: '1h' })).toEqual(['demo']);
    expect(await found({ olderThan: new Date(Date.now() - 3_600_000) })).toEqual(['demo']);
    expect(await tasker.prune({ ...NOW, status: 'cancelled' }).result()).toMatchObject({ deleted: 4 });
    expect(await found({})).toEqual(['resolved']);
    await invariants(sql);
  });

  it('is rejected with advice if a filter or option is invalid', async () => {
    const { tasker } = await setup({ worker: false });
    const refused = (filter: object, options: object = {}) => {
      try {
        tasker.prune(filter as never, options);
      } catch (error) {
        return error as Error & { code: string };
      }
      throw new Error('not rejected');
    };
    expect(refused({})).toMatchObject({ code: 'bad_request', message: expect.stringContaining('olderThan') });
    expect(refused({ olderThan: 'soon' }).message).toContain('soon is not a time');
    expect(refused({ ...NOW, states: 'x' }).message).toContain('did you mean status?');
    expect(refused({ ...NOW, status: 'blocked_by_failures' }).message).toContain(
      'not a state in which a task has ended',
    );
    expect(refused({ ...NOW, status: 'canceled' }).message).toContain('did you mean cancelled?');
    expect(refused({ ...NOW, name: 7 }).message).toContain('name must be a string');
    expect(refused({ ...NOW, templateVersion: '>>1' }).code).toBe('bad_request');
    expect(refused(NOW, { share: 2 }).message).toContain('share must be a number from 0.01 to 1');
    expect(refused(NOW, { archive: '' }).message).toContain('archive must be the path of a folder');
    const future = tasker.prune({ olderThan: new Date(Date.now() + 60_000) });
    await expect(future.preview()).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('future'),
    });
  });

  it('skips a task that another transaction has locked, and a task that runs again', async () => {
    const { tasker, url, sql, taskUuids } = await completed(3);
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.task where task_uuid = $1 for update', [taskUuids[0]]);
    const act = tasker.prune(NOW);
    await act.preview();
    const report = await act.result();
    expect(report).toMatchObject({ deleted: 2, skipped: 1, reasons: { locked: 1 } });
    await session.query('rollback');
    expect(await tasker.prune(NOW).result()).toMatchObject({ deleted: 1, skipped: 0 });
    await invariants(sql);
  });

  it('deletes in small transactions with pauses between them, and stops when its signal fires', async () => {
    const { tasker, taskUuids } = await completed(250);
    const stop = new AbortController();
    const seen: number[] = [];
    const began = performance.now();
    const act = tasker.prune(NOW, { signal: stop.signal });
    await expect(async () => {
      for await (const { deleted } of act) {
        seen.push(deleted);
        if (deleted >= 100) stop.abort();
      }
    }).rejects.toThrow();
    expect(seen).toEqual([0, 100]);
    expect(performance.now() - began).toBeGreaterThan(20);
    const rest = await tasker.prune(NOW, { share: 1 }).result();
    expect(rest.deleted).toBe(taskUuids.length - 100);
    expect((await tasker.audit({ action: 'prune' })).entries.map(({ details }) => details)).toMatchObject([
      { deleted: 150, complete: true },
      { deleted: 100, complete: false },
    ]);
  });
});

describe('the identity of a pruned task', () => {
  it('stays reserved: a repeated request is a conflict with the time of the prune even with onDuplicate: return', async () => {
    const { tasker, requests, taskUuids, sql } = await completed(2);
    await tasker.prune(NOW).result();
    const conflict = {
      code: 'conflict',
      message: expect.stringMatching(
        new RegExp(`^task demo with the idempotency key k0 was pruned at 20.*Z: ${taskUuids[0]}; use another`),
      ),
      details: { task_uuid: taskUuids[0], pruned_at: expect.stringMatching(/^20/) },
    };
    await expect(tasker.createTask(requests[0]!)).rejects.toMatchObject(conflict);
    await expect(tasker.createTask(requests[0]!, { onDuplicate: 'return' })).rejects.toMatchObject(conflict);
    const fresh = { ...requests[0]!, idempotencyKey: 'new' };
    await expect(tasker.createTasks([fresh, requests[1]!], { onDuplicate: 'return' })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('(number 2 of 2; none was created)'),
    });
    expect(await sql('select 1 from tasker.task')).toEqual([]);
    await expect(tasker.getTask(taskUuids[0]!)).rejects.toMatchObject({
      code: 'task_not_found',
      message: expect.stringMatching(/; it was pruned at 20.*Z$/),
    });
  });

  it('is released once by a deletion of the task, and then the same request creates a task', async () => {
    const { tasker, requests, taskUuids } = await completed(1);
    await tasker.prune(NOW).result();
    await tasker.deleteTask(taskUuids[0]!, { actor: 'ada', reason: 'again, please' });
    await expect(tasker.deleteTask(taskUuids[0]!)).rejects.toMatchObject({ code: 'task_not_found' });
    expect((await tasker.createTask(requests[0]!)).created).toBe(true);
    expect((await tasker.audit({ action: 'delete' })).entries).toMatchObject([
      { actor: 'ada', taskUuid: taskUuids[0], details: { pruned: true } },
    ]);
  });

  it('stays reserved if a bulk action names the task, which is skipped with the time of the prune', async () => {
    const { tasker, sql, taskUuids } = await completed(2);
    await endedAgo(sql, '3 hours', taskUuids.slice(0, 1));
    await tasker.prune({ olderThan: '2h' }).result();
    const { done, skipped } = await tasker.bulk.delete({ ids: taskUuids }).result();
    expect(done).toBe(1);
    const why = expect.stringMatching(/^the task was pruned at 20[\d-]+T[\d:.]+Z$/);
    expect(skipped).toEqual([{ taskUuid: taskUuids[0], step: null, why }]);
  });

  it('is released by the prune on request', async () => {
    const { tasker, requests, sql } = await completed(2);
    await tasker.prune(NOW, { releaseKeys: true }).result();
    expect(await sql('select 1 from tasker.task_identity')).toEqual([]);
    expect((await tasker.createTask(requests[0]!)).created).toBe(true);
  });

  it('is also released by the deletion of a task that was not pruned', async () => {
    const { tasker, requests, taskUuids } = await completed(1);
    await tasker.deleteTask(taskUuids[0]!);
    expect((await tasker.createTask(requests[0]!)).created).toBe(true);
  });

  it('no longer leads to the task, or to any other task', async () => {
    const { tasker } = await completed(1);
    await tasker.prune(NOW).result();
    expect(await tasker.listTasks({ key: 'k0' }, {})).toMatchObject({ tasks: [], total: 0 });
  });
});

describe('a task with events', () => {
  const ME = '00000000-0000-7000-8000-000000000001';

  /** Tasks that have ended, each with an event. */
  async function withEvents(count: number) {
    const bench = await eventLog({ tasks: count });
    for (const taskUuid of bench.taskUuids) await bench.tasker.cancelTask(taskUuid);
    return bench;
  }

  it('stays until every group has received its matching events', async () => {
    const { tasker, log, sql, taskUuids } = await withEvents(2);
    const group = await log.joinGroup({ name: 'one', patterns: ['demo.*'] });
    await log.joinGroup({ name: 'never', patterns: ['other.*'] });
    await writeEvents(sql, { taskUuid: taskUuids[0]! });
    const held = { deleted: 0, skipped: 1, reasons: { undelivered_events: 1 } };
    // Without a position in the log, with a position, and while the delivery is in progress.
    expect(await tasker.prune({ ...NOW, status: 'cancelled' }).result()).toMatchObject({ ...held, deleted: 1 });
    await log.sequence();
    expect(await tasker.prune(NOW).result()).toMatchObject(held);
    const taken = (await log.take(group, ME, { leaseMs: 60_000 }))!;
    expect(await tasker.prune(NOW).result()).toMatchObject(held);
    await log.finish(taken);
    expect(await tasker.prune(NOW).result()).toMatchObject({ deleted: 1, skipped: 0 });
    expect(await sql('select 1 from tasker.domain_event')).toHaveLength(1);
  });

  it('stays while a delivery waits for its retry, and after the delivery was abandoned', async () => {
    const { tasker, log, sql, taskUuids } = await withEvents(1);
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, { taskUuid: taskUuids[0]! });
    await log.sequence();
    const taken = (await log.take(group, ME, { leaseMs: 60_000 }))!;
    await log.finish(taken, { failed: taken.events.map((event) => ({ ...event, error: 'down', delayMs: 0 })) });
    expect(await tasker.prune(NOW).result()).toMatchObject({ deleted: 0, reasons: { undelivered_events: 1 } });
    const retries = await log.takeRetries(group, ME, { leaseMs: 60_000 });
    await log.finishRetries(group, ME, { dead: retries.map((event) => ({ ...event, attempts: 2, error: 'down' })) });
    expect(await tasker.prune(NOW).result()).toMatchObject({ deleted: 0, reasons: { undelivered_events: 1 } });
    await tasker.events.discard({ group: 'one' });
    expect(await tasker.prune(NOW).result()).toMatchObject({ deleted: 1 });
  });

  it('does not wait for a group that lags in another part of the log', async () => {
    const { tasker, log, sql } = await withEvents(40);
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    const all = (await sql<{ task_uuid: string }>('select task_uuid from tasker.task')).map((row) => row.task_uuid);
    await writeEvents(sql, ...all.map((taskUuid) => ({ taskUuid })));
    await log.sequence();
    const taken = (await log.take(group, ME, { leaseMs: 60_000 }))!;
    await log.finish(taken);
    const passed = all.filter((uuid) => uuid.endsWith(taken.part.toString(16)));
    const report = await tasker.prune(NOW).result();
    expect(report).toMatchObject({ deleted: passed.length, skipped: 40 - passed.length });
  });
});

describe('two prunes', () => {
  it('do not run at the same time: the second is rejected with the operator of the first', async () => {
    const { tasker, another, sql } = await completed(30);
    const first = tasker.prune(NOW, { actor: 'ada' })[Symbol.asyncIterator]();
    await first.next();
    const other = await another({ worker: false });
    const second = other.prune(NOW).result();
    // A live process extends its lease before it expires.
    const alive = setInterval(() => void sql(`update tasker.prune_turn set held_until = now() + interval '60 s'`), 100);
    onTestFinished(() => clearInterval(alive));
    await expect(second).rejects.toMatchObject({
      code: 'illegal_transition',
      message: expect.stringMatching(/^another prune is running \(prune \d+, by ada since 20/),
    });
    clearInterval(alive);
    while (!(await first.next()).done);
    expect(await other.prune(NOW).result()).toMatchObject({ deleted: 0 });
  });

  it('continue where a killed prune stopped, once its lease has expired', async () => {
    const { tasker, sql, taskUuids } = await completed(120);
    const killed = tasker.prune(NOW, { share: 1 })[Symbol.asyncIterator]();
    await killed.next();
    await killed.next();
    const next = tasker.prune(NOW).result();
    await endTurn(sql);
    expect(await next).toMatchObject({ deleted: taskUuids.length - 100 });
    // If the first prune was not killed but only slow, it ends here.
    await expect(killed.next()).rejects.toMatchObject({ code: 'illegal_transition' });
  });

  it('delete no further tasks after they have lost the lease', async () => {
    const { tasker, sql } = await completed(150);
    const slow = tasker.prune(NOW, { share: 1 })[Symbol.asyncIterator]();
    await slow.next();
    await sql(`update tasker.prune_turn set holder = gen_random_uuid()`);
    await expect(slow.next()).rejects.toMatchObject({ code: 'illegal_transition' });
    expect(await sql('select count(*)::int n from tasker.task')).toEqual([{ n: 150 }]);
  });
});

it('a deletion waits for a process that writes the search tables, and neither blocks the other', async () => {
  const { tasker, sql, url, taskUuids } = await completed(2);
  await tasker.engine.search.flush();
  await sql(
    `insert into tasker.step_search (task_uuid, idx, template_id, state, since, created_at, attempts)
     select task_uuid, 0, template_id, 'error', now(), created_at, 1 from tasker.task`,
  );
  for (const remove of [() => tasker.deleteTask(taskUuids[0]!), () => tasker.prune(NOW).result() as Promise<unknown>]) {
    // Writes the changes of the first deletion, so that only the second deletion waits for the lock.
    await tasker.engine.search.flush();
    const writer = await openSession(url);
    await writer.query('begin');
    await writer.query('select pg_advisory_xact_lock(7303014008)');
    await writer.query('update tasker.task_search set updated_at = updated_at');
    const removed = remove();
    await until(
      () => sql(`select 1 from pg_locks where locktype = 'advisory' and not granted and ${OF_THIS_DATABASE}`),
      (rows) => rows.length > 0,
    );
    await writer.query('update tasker.step_search set since = since');
    await writer.query('commit');
    await removed;
  }
  expect(await sql('select 1 from tasker.task_search union all select 1 from tasker.step_search')).toEqual([]);
});

it('a task is pruned by the clock of the database, even if the search tables are wrong', async () => {
  const { tasker, sql, taskUuids } = await completed(1, { searchEnabled: false });
  await until(
    () => sql('select 1 from tasker.task where done_at is not null'),
    (rows) => rows.length === 1,
  );
  expect(await sql('select 1 from tasker.task_search')).toEqual([]);
  expect(await tasker.prune({ olderThan: '1h' }).result()).toMatchObject({ deleted: 0 });
  await endedAgo(sql, '2 hours', taskUuids);
  expect(await tasker.prune({ olderThan: '1h' }).result()).toMatchObject({ deleted: 1 });
});
