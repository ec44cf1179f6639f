import { describe, expect, it } from 'vitest';
import { openSession } from '../../support/database.ts';
import { blockedTasks, blockingTasker, look, untilIn } from '../../support/dead-letters.ts';
import { DEMO, invariants, setup, template, until } from '../../support/setup.ts';

describe('a task that is blocked by failures', () => {
  it('becomes a dead letter once if its template has on_blocked: dlq', async () => {
    const { tasker } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    expect((await look(tasker)).added).toEqual([taskUuid]);
    expect(await look(tasker)).toEqual({ added: [], closed: [], resolutions: [] });
    const { entries, total } = await tasker.deadLetters.list();
    expect(total).toBe(1);
    expect(entries).toEqual([
      {
        dlqEntryUuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        taskUuid,
        originalState: 'blocked_by_failures',
        dlqReason: 'max_retries_exceeded',
        dlqTimestamp: expect.stringMatching(/^20.*Z$/),
        resolutionStatus: 'pending',
        resolutionTimestamp: null,
        resolutionNotes: null,
        resolvedBy: null,
        cause: 'charge: card_unknown: no such card',
        assignee: null,
        priority: 0,
        namespaceName: 'test',
        taskName: 'demo',
        taskVersion: '1.0.0',
        currentState: 'blocked_by_failures',
        timeInStateMinutes: 0,
        hasMovedOn: false,
        minutesInDlq: 0,
        priorityScore: 500,
        entriesOfTask: 1,
        metadata: null,
        createdAt: expect.any(String),
        updatedAt: expect.any(String),
      },
    ]);
    const history = await tasker.getHistory(taskUuid!);
    expect(history.at(-1)).toMatchObject({
      what: 'dlq_add',
      who: 'lifecycle',
      why: 'charge: card_unknown: no such card',
    });
    expect((await tasker.audit({ task: taskUuid!, action: 'dlq_add' })).entries).toHaveLength(1);
  });

  it('does not become a dead letter without on_blocked, or with on_blocked: none', async () => {
    for (const lifecycle of [undefined, { on_blocked: 'none' }]) {
      const plain = template({ charge: { handler: 'broken' } }, lifecycle ? { lifecycle } : {});
      const { tasker } = await blockingTasker({ templates: [plain] });
      await blockedTasks(tasker, 1);
      expect((await look(tasker)).added).toEqual([]);
    }
  });

  it('has an entry with a snapshot of its steps at the time of the entry', async () => {
    const { tasker, repair } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    repair();
    await tasker.retryStep(taskUuid!, 'charge');
    await tasker.waitForTask(taskUuid!, { timeoutMs: 20_000 });
    const { taskSnapshot } = await tasker.deadLetters.get(taskUuid!);
    expect(taskSnapshot).toMatchObject({
      task_uuid: taskUuid,
      namespace: 'test',
      task_name: 'demo',
      task_version: '1.0.0',
      current_state: 'blocked_by_failures',
      threshold_minutes: null,
      step_count: 2,
      steps: [
        {
          name: 'charge',
          state: 'error',
          attempts: 1,
          max_attempts: 3,
          error_type: 'card_unknown',
          error: 'no such card',
        },
        { name: 'ship', state: 'pending', attempts: 0 },
      ],
    });
  });

  it('has a snapshot of bounded size even with thousands of steps and long errors', async () => {
    const parts = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`step_${n}`, { handler: 'broken' }]));
    const big = template(parts, { lifecycle: { on_blocked: 'dlq' } });
    const { tasker } = await blockingTasker({ templates: [big], message: `${'ü'.repeat(5_000)}\nsecond line` });
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    const { taskSnapshot, cause } = await tasker.deadLetters.get(taskUuid!);
    expect(taskSnapshot.step_count).toBe(300);
    expect(taskSnapshot.steps).toHaveLength(50);
    expect(JSON.stringify(taskSnapshot).length).toBeLessThan(65_536);
    expect(cause.length).toBeLessThan(1_000);
    expect(cause).not.toContain('second line');
  });

  it('is found even without the search tables', async () => {
    const { tasker } = await blockingTasker();
    const ids = await blockedTasks(tasker, 3);
    expect((await look(tasker, { searchable: false })).added.sort()).toEqual(ids.sort());
    expect((await look(tasker, { searchable: false })).added).toEqual([]);
  });

  it('is left for the next check while another transaction has locked it', async () => {
    const { tasker, url } = await blockingTasker();
    const [held, free] = await blockedTasks(tasker, 2);
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.task where task_uuid = $1 for update', [held]);
    expect((await look(tasker)).added).toEqual([free]);
    await session.query('rollback');
    expect((await look(tasker)).added).toEqual([held]);
  });
});

describe('checks for dead letters by several processes', () => {
  it('add each task once, even if they run concurrently', async () => {
    const { tasker, another, sql } = await blockingTasker();
    const ids = await blockedTasks(tasker, 60);
    const others = [await another({ worker: false }), await another({ worker: false })];
    const looks = await Promise.all([tasker, ...others, tasker].map((one) => look(one)));
    const added = [...looks.flatMap((one) => one.added), ...(await look(tasker)).added];
    expect(added.sort()).toEqual(ids.sort());
    expect(await sql('select count(*)::int n from tasker.dead_letter')).toEqual([{ n: 60 }]);
    await invariants(sql);
  });

  it('take turns: no process checks again within half a minute', async () => {
    const { tasker, another } = await blockingTasker();
    const other = await another({ worker: false });
    await blockedTasks(tasker, 1);
    await look(tasker);
    await blockedTasks(tasker, 1);
    await tasker.engine.search.flush();
    expect((await look(other, { leastMs: 25_000 })).added).toEqual([]);
    expect((await look(other, { leastMs: 0 })).added).toHaveLength(1);
  });

  it('leave the work to a process that is checking, and continue it if that process dies', async () => {
    const { tasker, url } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select pg_advisory_xact_lock(7303014009)');
    expect((await look(tasker)).added).toEqual([]);
    const [{ pid }] = (await session.query('select pg_backend_pid() pid')).rows as [{ pid: number }];
    const killer = await openSession(url);
    await killer.query('select pg_terminate_backend($1)', [pid]).catch(() => undefined);
    await until(
      async () => (await look(tasker)).added,
      (added) => added.includes(taskUuid!),
    );
  });
});

describe('an entry whose task makes progress', () => {
  it.each([
    ['retry', 'steps_in_process'],
    ['cancel', 'cancelled'],
    ['resolve', 'resolved_manually'],
  ] as const)('is closed with the reason by the next check after progress by %s', async (act, _state) => {
    const { tasker, another } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    await tasker.stop();
    const other = await another({ worker: false });
    const by = { actor: 'anna', reason: 'new card' };
    if (act === 'retry') await other.retryTask(taskUuid!, by);
    if (act === 'cancel') await other.cancelTask(taskUuid!, by);
    if (act === 'resolve') await other.resolveTask(taskUuid!, by);
    expect((await other.deadLetters.get(taskUuid!)).hasMovedOn).toBe(true);
    const { closed, resolutions } = await look(other);
    expect(closed).toEqual([taskUuid]);
    const verb = act === 'retry' ? 'reset' : act;
    expect(resolutions).toEqual([expect.stringMatching(`^the task .*; ${verb} by anna \\(new card\\)$`)]);
    expect(await other.deadLetters.get(taskUuid!)).toMatchObject({
      resolutionStatus: 'cancelled',
      resolvedBy: 'lifecycle',
      resolutionNotes: resolutions[0],
      hasMovedOn: false,
    });
    expect((await other.deadLetters.list()).entries).toEqual([]);
    expect((await other.audit({ task: taskUuid!, action: 'dlq_close' })).entries).toMatchObject([
      { actor: 'lifecycle', door: 'lifecycle', reason: resolutions[0] },
    ]);
  });

  it('is followed by a new entry if the task is blocked again', async () => {
    const { tasker } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    await tasker.retryTask(taskUuid!);
    await until(
      () => tasker.getStep(taskUuid!, 'charge'),
      ({ attempts, currentState }) => attempts === 2 || currentState === 'error',
    );
    await untilIn(tasker, [taskUuid!], 'blocked_by_failures');
    expect(await look(tasker)).toMatchObject({ added: [taskUuid], closed: [taskUuid] });
    const { entries } = await tasker.deadLetters.list({ task: taskUuid! });
    expect(entries.map((entry) => entry.resolutionStatus)).toEqual(['pending', 'cancelled']);
    expect(entries[0]!.entriesOfTask).toBe(2);
  });

  it('stays closed if an operator has closed it, until the task fails again', async () => {
    const { tasker } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    await tasker.deadLetters.resolve(taskUuid!, { status: 'permanently_failed', resolutionNotes: 'refunded' });
    expect((await look(tasker)).added).toEqual([]);
    expect((await look(tasker, { searchable: false })).added).toEqual([]);
    await tasker.retryTask(taskUuid!);
    await untilIn(tasker, [taskUuid!], 'blocked_by_failures');
    await until(
      async () => (await look(tasker)).added,
      (added) => added.includes(taskUuid!),
    );
  });

  it('is not closed by a note, an assignment, a copy or a pause', async () => {
    const { tasker } = await blockingTasker();
    const [taskUuid] = await blockedTasks(tasker, 1);
    await look(tasker);
    await tasker.deadLetters.assign(taskUuid!, 'payments');
    await tasker.deadLetters.note(taskUuid!, 'asked the bank');
    await tasker.pause({ task: taskUuid! });
    await tasker.resume({ task: taskUuid! });
    expect((await look(tasker)).closed).toEqual([]);
    expect(await tasker.deadLetters.get(taskUuid!)).toMatchObject({ hasMovedOn: false, assignee: 'payments' });
  });

  it('is closed in slices that later checks continue', async () => {
    const { tasker, sql } = await blockingTasker();
    const ids = await blockedTasks(tasker, 5);
    await look(tasker);
    await sql(
      `insert into tasker.dead_letter (task_uuid, template_id, reason, original_state, cause, moved_at, snapshot, queue_at)
       select gen_random_uuid(), 1, 'manual_dlq', 'error', 'gone', now(), '{}', now() from generate_series(1, 1200)`,
    );
    const first = await look(tasker, { checkMs: 0 });
    expect(first.closed.length).toBeLessThan(600);
    let closed = first.closed.length;
    for (let i = 0; i < 5; i++) closed += (await look(tasker, { checkMs: 0 })).closed.length;
    expect(closed).toBe(1200);
    expect((await tasker.deadLetters.list()).entries.map((entry) => entry.taskUuid).sort()).toEqual(ids.sort());
  });
});

describe('the search for blocked tasks', () => {
  it('finds more than one page of tasks', async () => {
    const { tasker, sql } = await setup({
      templates: [template({ a: [] }, { lifecycle: { on_blocked: 'dlq' } })],
      worker: false,
    });
    await tasker.createTasks(Array.from({ length: 600 }, () => ({ ...DEMO })));
    await tasker.createTasks(Array.from({ length: 600 }, () => ({ ...DEMO })));
    await tasker.engine.search.flush();
    await sql(`update tasker.step set state = 'error'`);
    await sql(`delete from tasker.queue`);
    await sql(`update tasker.task set n_active = 0, n_error = 1`);
    await sql(`update tasker.task_search set state = 'blocked_by_failures'`);
    expect((await look(tasker)).added).toHaveLength(1_200);
  });
});
