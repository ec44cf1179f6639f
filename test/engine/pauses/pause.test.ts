import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { openSession } from '../../support/database.ts';
import { queued, targets } from '../../support/pauses.ts';
import {
  DEMO,
  deferred,
  endStates,
  invariants,
  makeRetriesDue,
  setup,
  states,
  template,
  until,
} from '../../support/setup.ts';
import { sharedTasker } from '../../support/shared-tasker.ts';

const handlers = ['a', 'b', 'c'].map((name) => defineHandler(name, {}, () => ({ name })));
const BY = { actor: 'ann', reason: 'the carrier is down' };

const twoSteps = sharedTasker({ templates: template({ a: [], b: ['a'] }) });

/** Two tasks whose steps wait for a worker, which `start` starts. */
async function waiting(steps?: Parameters<typeof template>[0]) {
  const made = steps ? await setup({ templates: template(steps), worker: false }) : await twoSteps();
  const tasks = await made.tasker.createTasks([DEMO, DEMO]);
  const start = () => made.another({ worker: true, handlers, pollMs: 50 });
  return { ...made, tasks, first: tasks[0]!.taskUuid, second: tasks[1]!.taskUuid, start };
}

it('a pause that waits too long for another pause changes nothing, and reports a timeout', async () => {
  const { tasker, url } = await waiting();
  const session = await openSession(url);
  // The lock of pauses and registrations.
  await session.query('select pg_advisory_lock(7303014006)');
  await expect(tasker.pause({ namespace: 'test' }, BY)).rejects.toMatchObject({
    code: 'timeout',
    message:
      'namespace test is unchanged: another pause or the registration of a template has been in progress for 10 s; try again',
  });
  await session.query('select pg_advisory_unlock(7303014006)');
  expect(await tasker.pauses()).toEqual([]);
  expect(await tasker.pause({ namespace: 'test' }, BY)).toMatchObject({ changed: true, steps: 2 });
});

describe.each(['task', 'version', 'template', 'namespace'] as const)('a paused %s', (kind) => {
  it('starts none of its steps until it is resumed, and then all of them run', async () => {
    const { tasker, sql, first, second, tasks, start } = await waiting();
    const target = targets(first)[kind];
    const covered = kind === 'task' ? [first] : [first, second];

    const paused = await tasker.pause(target, BY);
    expect(paused).toMatchObject({ changed: true, steps: covered.length, others: [] });
    expect(paused.pause).toMatchObject({ pausedBy: 'ann', reason: 'the carrier is down' });
    expect(await tasker.pauses()).toEqual([paused.pause]);
    await invariants(sql);

    await start();
    if (kind === 'task') await tasker.waitForTask(second, { timeoutMs: 20_000 });
    const later = await tasker.createTask(DEMO);
    if (kind === 'task') await tasker.waitForTask(later.taskUuid, { timeoutMs: 20_000 });
    await expect(tasker.waitForTask(first, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
    expect(await states(tasker, first)).toEqual({ a: 'enqueued', b: 'pending' });
    expect((await tasker.getTask(first)).paused).toEqual([paused.pause]);
    if (kind !== 'task') expect(await states(tasker, later.taskUuid)).toEqual({ a: 'enqueued', b: 'pending' });

    const resumed = await tasker.resume(target, { actor: 'bob' });
    expect(resumed).toMatchObject({ changed: true, steps: kind === 'task' ? 1 : 3, pause: null, others: [] });
    expect(await endStates(tasker, [...tasks, later])).toEqual(['complete']);
    expect(await tasker.pauses()).toEqual([]);
    expect((await tasker.getTask(first)).paused).toBe(null);
    expect(await queued(sql)).toEqual({ ready: 0, paused: 0 });
    await invariants(sql);
  });

  it('stays unchanged after a second pause or a second resume, and the call reports no change', async () => {
    const { tasker, sql, first } = await waiting();
    const target = targets(first)[kind];
    expect(await tasker.resume(target)).toMatchObject({ changed: false, steps: 0, pause: null });
    await tasker.pause(target, BY);
    expect(await tasker.pause(target, { actor: 'bob' })).toMatchObject({ changed: false, pause: { pausedBy: 'ann' } });
    await tasker.resume(target);
    expect(await tasker.resume(target)).toMatchObject({ changed: false });
    const acts = await sql('select action, actor, reason, target, task_uuid from tasker.operator_action order by id');
    const on = kind === 'task' ? { task_uuid: first, target: null } : { task_uuid: null };
    expect(acts).toMatchObject([
      { action: 'pause', ...BY, ...on },
      { action: 'resume', actor: 'operator', ...on },
    ]);
    await invariants(sql);
  });

  it('running steps finish and are recorded, and the steps after them wait', async () => {
    const [began, gate] = [deferred(), deferred()];
    const slow = defineHandler('a', {}, async () => {
      began.resolve();
      await gate.promise;
      return { done: true };
    });
    const { tasker, sql } = await setup({
      templates: template({ a: [], b: ['a'] }),
      handlers: [slow, ...handlers.slice(1)],
    });
    const { taskUuid } = await tasker.createTask(DEMO);
    await began.promise;
    await tasker.pause(targets(taskUuid)[kind]);
    gate.resolve();
    await until(
      () => states(tasker, taskUuid),
      ({ a }) => a === 'complete',
    );
    expect(await states(tasker, taskUuid)).toEqual({ a: 'complete', b: 'enqueued' });
    expect((await tasker.getStep(taskUuid, 'a')).results?.result).toEqual({ done: true });
    expect(await queued(sql)).toEqual({ ready: 0, paused: 1 });
    await tasker.resume(targets(taskUuid)[kind]);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await invariants(sql);
  });

  it('a retry that comes due becomes ready and waits, without using up an attempt', async () => {
    let fails = true;
    const flaky = defineHandler('a', {}, () => {
      if (fails) throw new Error('again');
    });
    const { tasker, sql } = await setup({
      templates: template({ a: { retry: { backoff: 'linear', backoff_base_ms: 30_000 } } }),
      handlers: [flaky],
      pollMs: 50,
    });
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => states(tasker, taskUuid),
      ({ a }) => a === 'waiting_for_retry',
    );
    await tasker.pause(targets(taskUuid)[kind]);
    const { attempts } = await tasker.getStep(taskUuid, 'a');
    await makeRetriesDue(sql);
    await tasker.engine.promoteDue();
    await until(
      () => states(tasker, taskUuid),
      ({ a }) => a === 'enqueued',
    );
    expect(await queued(sql)).toEqual({ ready: 0, paused: 1 });
    fails = false;
    expect((await tasker.getStep(taskUuid, 'a')).attempts).toBe(attempts);
    await tasker.resume(targets(taskUuid)[kind]);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    await invariants(sql);
  });

  it('steps of a worker that is lost return by their policy and wait', async () => {
    const steps = { a: [], b: { handler: 'b', retry: { retryable: false } } };
    const { tasker, sql, first, start } = await waiting(steps);
    const identity = { name: 'w', host: 'h', pid: 1, namespaces: ['test'], callables: ['a', 'b'], concurrency: 9 };
    const workerId = await tasker.engine.registerWorker({ ...identity, leaseMs: 600_000 });
    const namespaceIds = await tasker.engine.namespaceIds(['test']);
    const claim = { limit: 9, token: workerId * 2 ** 24 + 1, workerId, namespaceIds, excluded: [] };
    expect((await tasker.engine.claim(claim)).taken).toBe(4);
    await tasker.pause(targets(first)[kind]);
    await sql(`update tasker.worker set lease_until = now() - interval '1 minute' where id = $1`, [workerId]);
    expect((await tasker.engine.sweep(0)).steps).toHaveLength(4);
    await start();
    await expect(tasker.waitForTask(first, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
    expect(await states(tasker, first)).toEqual({ a: 'enqueued', b: 'error' });
    await invariants(sql);
    await tasker.resume(targets(first)[kind]);
    await until(
      () => states(tasker, first),
      ({ a }) => a === 'complete',
    );
  });

  it('still lets an operator reset, resolve and complete steps, and cancel tasks', async () => {
    const { tasker, sql, first, start } = await waiting({ a: [], b: [], c: ['a', 'b'] });
    await tasker.pause(targets(first)[kind]);
    await tasker.resolveStep(first, 'a');
    await tasker.completeStep(first, 'b', { result: { by: 'hand' } });
    expect(await states(tasker, first)).toEqual({ a: 'resolved_manually', b: 'complete', c: 'enqueued' });
    await invariants(sql);
    await sql(`update tasker.step set state = 'error' where task_uuid = $1 and idx = 2`, [first]);
    await sql(`update tasker.task set n_active = 0, n_error = 1 where task_uuid = $1`, [first]);
    await tasker.retryStep(first, 'c');
    await invariants(sql);
    expect(await tasker.cancelTask(first)).toBe(true);
    expect(await tasker.getTask(first)).toMatchObject({ status: 'cancelled', paused: null });
    await start();
    await tasker.resume(targets(first)[kind]);
    await until(
      () => queued(sql),
      ({ ready, paused }) => ready + paused === 0,
    );
    expect(await states(tasker, first)).toMatchObject({ c: 'cancelled' });
    await invariants(sql);
  });
});

it('a step starts only after its task, version, template and namespace are all resumed, in any order', async () => {
  const { tasker, sql, first, second, start } = await waiting();
  await start();
  await tasker.waitForTask(second, { timeoutMs: 20_000 });
  await tasker.waitForTask(first, { timeoutMs: 20_000 });
  const kinds = ['task', 'version', 'template', 'namespace'] as const;
  for (const [i, order] of [
    kinds,
    [...kinds].reverse(),
    ['template', 'task', 'namespace', 'version'] as const,
  ].entries()) {
    await tasker.pause({ namespace: 'test' }, { actor: 'first' });
    const { taskUuid } = await tasker.createTask(DEMO);
    const all = targets(taskUuid);
    for (const kind of kinds) await tasker.pause(all[kind], { actor: kind });
    expect((await tasker.getTask(taskUuid)).paused).toHaveLength(4);
    for (const [done, kind] of order.entries()) {
      expect(await states(tasker, taskUuid), `${i} ${kind}`).toEqual({ a: 'enqueued', b: 'pending' });
      expect(await queued(sql)).toEqual({ ready: 0, paused: 1 });
      const { others, steps } = await tasker.resume(all[kind]);
      expect(steps).toBe(done === 3 ? 1 : 0);
      if (kind === 'task') expect(others).toHaveLength(3 - done);
      await invariants(sql);
    }
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  }
});

it('a version that is registered later, and new content of a version, are paused with their template', async () => {
  const { tasker, sql, another } = await setup({ templates: template({ a: [] }), worker: false });
  await tasker.pause({ template: 'test/demo' });
  const worker = await another({
    worker: true,
    templates: [
      template({ a: [], b: [] }),
      template({ a: [] }, { version: '2.0.0' }),
      template({ a: [] }, { name: 'other' }),
    ],
    handlers,
  });
  const [same, next, other] = await worker.createTasks([
    DEMO,
    { ...DEMO, version: '2.0.0' },
    { ...DEMO, name: 'other' },
  ]);
  await worker.waitForTask(other!.taskUuid, { timeoutMs: 20_000 });
  expect(await queued(sql)).toEqual({ ready: 0, paused: 3 });
  expect(await states(worker, same!.taskUuid)).toEqual({ a: 'enqueued', b: 'enqueued' });
  expect((await worker.getTask(next!.taskUuid)).paused).toMatchObject([{ scope: 'template', target: 'test/demo' }]);
  await worker.resume({ template: 'test/demo' });
  expect(await endStates(worker, [same!, next!])).toEqual(['complete']);
  await invariants(sql);
});

it('a pause of a version or a namespace does not affect other versions or namespaces', async () => {
  const versions = ['1.0.0', '2.0.0'].map((version) => template({ a: [] }, { version }));
  const elsewhere = template({ a: [] }, { namespace: 'elsewhere' });
  const { tasker } = await setup({ templates: [...versions, elsewhere], handlers });
  await tasker.pause({ template: 'test/demo@1.0.0' });
  const second = await tasker.createTask({ ...DEMO, version: '2.0.0' });
  expect((await tasker.waitForTask(second.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  await tasker.pause({ namespace: 'test' });
  const other = await tasker.createTask({ ...DEMO, namespace: 'elsewhere' });
  expect((await tasker.waitForTask(other.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  const both = await tasker.resume({ template: 'test/demo' });
  expect(both).toMatchObject({ changed: false, others: [{ target: 'test/demo@1.0.0' }, { target: 'test' }] });
});

it('steps that a decision and an analyzer create during a pause wait, and so do later batch workers', async () => {
  const parts = Array.from({ length: 5 }, (_, i) => ({ batch_id: String(i), start_cursor: i }));
  const batch = {
    batch_size: 1,
    parallelism: 2,
    cursor_field: 'id',
    worker_template: 'part',
    failure_strategy: 'continue_on_failure',
  };
  const gate = deferred();
  const began: string[] = [];
  const making = [
    defineHandler('route', {}, async () => {
      began.push('route');
      await gate.promise;
      return { decision_point_outcome: { type: 'create_steps', step_names: ['left'] } };
    }),
    defineHandler('cut', {}, async () => {
      began.push('cut');
      await gate.promise;
      return { batch_processing_outcome: { type: 'create_batches', cursor_configs: parts } };
    }),
    ...['left', 'part', 'join'].map((name) => defineHandler(name, {}, () => ({}))),
  ];
  const { tasker, sql } = await setup({
    templates: template({
      first: { handler: 'left' },
      route: { type: 'decision', dependencies: ['first'] },
      left: ['route'],
      cut: { type: 'batchable' },
      part: { type: 'batch_worker', dependencies: ['cut'], batch_config: batch },
      join: { type: 'deferred_convergence', dependencies: ['part', 'left'] },
    }),
    handlers: making,
  });
  const { taskUuid } = await tasker.createTask(DEMO);
  await until(
    () => began.length,
    (count) => count === 2,
  );
  await tasker.pause({ task: taskUuid });
  gate.resolve();
  await until(
    () => queued(sql),
    ({ paused }) => paused === 3,
  );
  expect(await states(tasker, taskUuid)).toMatchObject({
    route: 'complete',
    left: 'enqueued',
    cut: 'complete',
    part_0: 'enqueued',
    part_2: 'pending',
  });
  await tasker.resolveStep(taskUuid, 'part_0');
  expect(await queued(sql)).toEqual({ ready: 0, paused: 4 });
  await invariants(sql);
  await tasker.resume({ task: taskUuid });
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  await invariants(sql);
});

it('a pause survives the end of every process, and the order of the steps survives the pause', async () => {
  const { tasker, sql, another } = await setup({ templates: template({ a: [] }), worker: false });
  const priorities = [0, 5, -3, 5, 0, 100, -100];
  const tasks = await tasker.createTasks(priorities.map((priority) => ({ ...DEMO, priority })));
  const before = await sql('select id, rank, task_uuid from tasker.queue order by rank, id');
  await tasker.pause({ template: 'test/demo' });
  await tasker.stop();
  const order: number[] = [];
  const noting = defineHandler('a', {}, ({ context }) => {
    order.push(tasks.findIndex(({ taskUuid }) => taskUuid === context.taskUuid));
  });
  const worker = await another({ worker: true, handlers: [noting], concurrency: 1, pollMs: 50 });
  await expect(worker.waitForTask(tasks[0]!.taskUuid, { timeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
  expect(order).toEqual([]);
  expect(await sql('select id, rank, task_uuid from tasker.queue order by rank, id')).toEqual(before);
  await worker.resume({ template: 'test/demo' });
  expect(await endStates(worker, tasks)).toEqual(['complete']);
  expect(order).toEqual([5, 1, 3, 0, 4, 2, 6]);
});

it('a task that has ended cannot be paused, and its pause ends with it', async () => {
  const { tasker, sql, first } = await waiting();
  await tasker.pause({ task: first });
  await tasker.cancelTask(first);
  expect((await tasker.getTask(first)).paused).toBe(null);
  await tasker.engine.settlePauses();
  expect(await tasker.pauses()).toEqual([]);
  await sql(
    `update tasker.pause set paused_at = paused_at - interval '1 minute', resumed_at = resumed_at - interval '1 minute'`,
  );
  await tasker.engine.settlePauses();
  expect(await queued(sql)).toEqual({ ready: 1, paused: 0 });
  await expect(tasker.pause({ task: first })).rejects.toMatchObject({
    code: 'illegal_transition',
    message: `task ${first} cannot be paused: it has ended and is cancelled`,
  });
});

it('a task that runs again after its end is not paused, even if no process has noticed the end', async () => {
  const { tasker, sql, first } = await waiting();
  await tasker.pause({ task: first });
  await tasker.cancelTask(first);
  await tasker.rerunTask(first, { from: 'a' });
  expect((await tasker.getTask(first)).paused).toBe(null);
  expect(await tasker.pauses()).toEqual([]);
  await tasker.pause({ task: first });
  await tasker.rerunTask(first, { from: 'a' });
  expect((await tasker.getTask(first)).paused).toMatchObject([{ scope: 'task', target: first }]);
  await invariants(sql);
});

it('an unknown task, template or namespace is rejected with the names that exist', async () => {
  const { tasker } = await waiting();
  const refusal = (target: unknown) => tasker.pause(target as never).catch((error: unknown) => error);
  const nobody = '01980000-0000-7000-8000-000000000000';
  expect(await refusal({ task: nobody })).toMatchObject({ code: 'task_not_found' });
  expect(await refusal({ task: 'x' })).toMatchObject({ code: 'invalid_uuid' });
  expect(await refusal({ template: 'demo' })).toMatchObject({ changed: true, target: 'test/demo' });
  expect(await refusal({ template: 'demmo' })).toMatchObject({
    code: 'template_not_found',
    message: 'template demmo not found; there is test/demo',
  });
  expect(await refusal({ template: 'other/demo' })).toMatchObject({
    message: 'template other/demo not found; there is test/demo',
  });
  expect(await refusal({ template: 'test/demo@9' })).toMatchObject({
    message: 'template test/demo@9 not found; there is test/demo@1.0.0',
  });
  expect(await refusal({ namespace: 'tset' })).toMatchObject({
    code: 'namespace_not_found',
    message: 'namespace tset not found; did you mean test?',
  });
  expect(await refusal({ namespace: '\u0000' })).toMatchObject({ code: 'namespace_not_found' });
  for (const wrong of [
    {},
    null,
    undefined,
    { task: nobody, namespace: 'test' },
    { template: 1 },
    { queue: 'x' },
    'demo',
  ]) {
    expect(await refusal(wrong)).toMatchObject({ code: 'bad_request' });
  }
  await expect(tasker.pause({ namespace: 'test' }, { actor: '\u0000' })).rejects.toMatchObject({ code: 'bad_request' });
  expect(await tasker.pauses()).toHaveLength(1);
});
