import { beforeAll, describe, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { PERCENTILE_ERROR } from '../../../src/model/duration-histogram.ts';
import { freshDatabase, type Sql } from '../../support/database.ts';
import { endStates, RETRY_AT_ONCE, setup, template } from '../../support/setup.ts';

const handlers = [
  defineHandler('pack', {}, () => ({})),
  defineHandler('charge', {}, ({ context }) => {
    if (context.getInput('declined')) throw new PermanentError('declined');
    if (context.retryCount === 0 && context.getInput('flaky')) throw new Error('try again');
    return {};
  }),
];

const STEPS = { pack: [], charge: { dependencies: ['pack'], retry: { ...RETRY_AT_ONCE, max_attempts: 2 } } };
const shop = (version: string) => template(STEPS, { namespace: 'shop', name: 'fulfil', version });

describe('tasker.analytics', () => {
  let tasker: Tasker;
  let sql: Sql;

  beforeAll(async () => {
    const database = await freshDatabase();
    sql = database.sql;
    tasker = await createTasker({
      databaseUrl: database.url,
      templates: [shop('1.0.0'), shop('2.0.0'), template({ pack: [] }, { namespace: 'depot', name: 'pack' })],
      handlers,
      logger: silentLogger,
    });
    const of = (count: number, version: string, context = {}) =>
      Array.from({ length: count }, () => ({ namespace: 'shop', name: 'fulfil', version, context }));
    const tasks = await tasker.createTasks([
      ...of(10, '1.0.0'),
      ...of(4, '1.0.0', { flaky: true }),
      ...of(3, '1.0.0', { declined: true }),
      ...of(5, '2.0.0'),
      ...Array.from({ length: 6 }, () => ({ namespace: 'depot', name: 'pack', version: '1.0.0' })),
    ]);
    await endStates(tasker, tasks);
    await tasker.engine.search.flush();
    await tasker.engine.analytics.flush();
    return async () => {
      await tasker.stop();
      await database.drop();
    };
  });

  it('counts tasks and attempts by template, version and step', async () => {
    const found = await tasker.analytics();
    expect(found.tasks).toMatchObject({ ended: 25, completed: 25, failed: 0, completionRate: 1, errorRate: 0 });
    expect(found.steps).toMatchObject({ attempts: 54, completed: 47, failed: 7, retried: 4, gaveUp: 3, lost: 0 });
    expect(found.steps.successRate).toBeCloseTo(47 / 54);
    expect(found.open).toEqual({ total: 3, totalIsExact: true, blocked: 3, waitingForRetry: 0, waiting: 0 });
    expect(
      found.templates
        .map((one) => [`${one.namespace}/${one.name}@${one.version}`, one.tasks.ended, one.open?.blocked])
        .sort(),
    ).toEqual([
      ['depot/pack@1.0.0', 6, 0],
      ['shop/fulfil@1.0.0', 14, 3],
      ['shop/fulfil@2.0.0', 5, 0],
    ]);
    const charge = found.slowSteps.find((one) => one.step === 'charge' && one.version === '1.0.0');
    expect(charge).toMatchObject({
      namespace: 'shop',
      handler: 'charge',
      attempts: 21,
      completed: 14,
      failed: 7,
      retried: 4,
      gaveUp: 3,
    });
    expect(charge!.slowestTaskUuid).toMatch(/^[0-9a-f-]{36}$/);
    expect(found.slowSteps.reduce((sum, one) => sum + one.shareOfTime!, 0)).toBeCloseTo(1);
    const [two] = found.templates.filter((one) => one.version === '2.0.0');
    expect(two!.averageStepCount).toBe(2);
  });

  it('has durations whose sums match the history, and percentiles that are off by at most five percent', async () => {
    const { steps, percentileError } = await tasker.analytics();
    const rows = await sql<{ ms: number }>('select duration_ms ms from tasker.history order by 1');
    const all = rows.map((row) => row.ms);
    const total = all.reduce((a, b) => a + b, 0);
    expect(steps.duration).toMatchObject({ count: all.length, totalMs: total, minMs: all[0], maxMs: all.at(-1) });
    expect(steps.queueing.count).toBe(54);
    const exact = all[Math.ceil(all.length * 0.95) - 1]!;
    expect(Math.abs(steps.duration.p95Ms! - exact)).toBeLessThanOrEqual(exact * PERCENTILE_ERROR);
    expect(percentileError).toBe(0.05);
  });

  it.each([1, 20])('lists the slowest tasks in total, by template and by step (limit: %i)', async (limit) => {
    const found = await tasker.analytics({ limit });
    const durations = await sql<{ task: string; template: string; step: string; us: number; took: number }>(`
      select h.task_uuid task, m.name || '@' || m.version template, d.name step, h.duration_ms * 1000 us,
             extract(epoch from t.done_at - t.created_at)::float8 took
        from tasker.history h join tasker.task t using (task_uuid) join tasker.template m on m.id = t.template_id
        join tasker.template_step d on d.template_id = m.id and d.idx = h.idx`);
    const of = (one: { name: string; version: string; step?: string }) =>
      durations.filter(
        (row) => row.template === `${one.name}@${one.version}` && (one.step === undefined || row.step === one.step),
      );
    const slowest = (rows: typeof durations, by: 'us' | 'took') => {
      const most = Math.max(...rows.map((row) => row[by]));
      return rows.filter((row) => row[by] === most).map((row) => row.task);
    };
    expect(slowest(durations, 'us')).toContain(found.steps.slowestTaskUuid);
    expect(slowest(durations, 'took')).toContain(found.tasks.slowestTaskUuid);
    expect(found.templates).toHaveLength(Math.min(limit, 3));
    for (const one of found.templates) {
      expect(slowest(of(one), 'us')).toContain(one.steps.slowestTaskUuid);
      expect(slowest(of(one), 'took')).toContain(one.tasks.slowestTaskUuid);
    }
    for (const one of found.slowSteps) expect(slowest(of(one), 'us')).toContain(one.slowestTaskUuid);
  });

  it('filters by namespace, template, version and step, and sorts the steps', async () => {
    const of = async (options: Parameters<Tasker['analytics']>[0]) => {
      const found = await tasker.analytics(options);
      return [found.tasks.ended, found.steps.attempts, found.slowSteps.length];
    };
    expect(await of({ namespace: 'shop' })).toEqual([19, 48, 4]);
    expect(await of({ name: 'fulfil', templateVersion: '1.0.0' })).toEqual([14, 38, 2]);
    expect(await of({ templateVersion: '1.x' })).toEqual([20, 44, 3]);
    expect(await of({ step: 'charge' })).toEqual([19, 26, 2]);
    const worst = await tasker.analytics({ sort: 'failures', limit: 1 });
    expect(worst.slowSteps).toMatchObject([{ step: 'charge', version: '1.0.0' }]);
    expect([worst.moreSteps, worst.moreTemplates]).toEqual([4, 2]);
  });

  it('covers a window of whole minutes, and the chart matches the totals', async () => {
    const found = await tasker.analytics({ since: '90m' });
    expect(Date.parse(found.from) % 60_000).toBe(0);
    const total = (key: 'tasksCompleted' | 'attemptsCompleted' | 'attemptsFailed') =>
      found.timeline.reduce((sum, one) => sum + one[key], 0);
    expect([total('tasksCompleted'), total('attemptsCompleted'), total('attemptsFailed')]).toEqual([25, 47, 7]);
    expect(found.timeline.length).toBeLessThanOrEqual(62);
    const before = await tasker.analytics({ since: '3h', until: '2h' });
    expect(before).toMatchObject({
      tasks: { ended: 0, completionRate: null },
      steps: { attempts: 0, duration: { p50Ms: null } },
    });
    expect(before.slowSteps).toEqual([]);
  });

  it('has recommendations for blocked tasks and failing steps', async () => {
    const { recommendations } = await tasker.analytics();
    expect(recommendations[0]).toBe('3 open tasks are blocked by a failure: `tasker task summary` shows the causes');
    expect(recommendations).toContainEqual('33 % of the attempts of charge of shop/fulfil fail, and 3 steps gave up');
  });

  it('reports invalid options', async () => {
    for (const [options, says] of [
      [{ name: 'fullfil' }, 'no template fullfil is registered; did you mean fulfil'],
      [{ namespace: 'shp' }, 'no template of namespace shp is registered; did you mean shop?'],
      [{ namespace: 'shop', name: 'nothing' }, 'no template shop/nothing is registered; `tasker template list`'],
      [
        { namespace: 'shop', name: 'fulfil', templateVersion: '9.0.0' },
        'no version 9.0.0 of shop/fulfil; registered: 1.0.0, 2.0.0',
      ],
      [{ step: 'chrage' }, 'no template has a step chrage; did you mean charge?'],
      [{ since: 'last week' }, 'since: last week is not a time'],
      [{ since: '1h', until: '2h' }, 'since must be before until'],
      [{ limit: 0 }, 'limit must be a whole number from 1 to 1000, got 0'],
      [{ sort: 'speed' }, 'sort must be one of time, duration'],
      [{ sicne: '1h' }, 'statistics have no option sicne; did you mean since?'],
      [{ name: 7 }, 'name must be a string'],
    ] as const) {
      await expect(tasker.analytics(options as never), says).rejects.toThrow(says);
    }
  });
});

it('the recommendation for a single blocked task is in the singular', async () => {
  const { tasker } = await setup({ templates: shop('1.0.0'), handlers });
  const request = { namespace: 'shop', name: 'fulfil', version: '1.0.0', context: { declined: true } };
  await endStates(tasker, [await tasker.createTask(request)]);
  await tasker.engine.search.flush();
  const { recommendations } = await tasker.analytics();
  expect(recommendations).toEqual(['1 open task is blocked by a failure: `tasker task summary` shows the causes']);
});

it('statistics of a database without templates are empty', async () => {
  const { tasker } = await setup({ worker: false });
  const found = await tasker.analytics({ since: '365d' });
  expect(found).toMatchObject({
    templates: [],
    slowSteps: [],
    recommendations: [],
    tasks: { ended: 0 },
    steps: { attempts: 0 },
  });
});

it('a user with only read privileges gets the statistics without counting new attempts', async () => {
  const { tasker, sql, url } = await setup({ templates: template({ a: [] }), worker: false });
  await tasker.createTask({ namespace: 'test', name: 'demo' });
  const role = `reader_${process.pid}`;
  await sql(
    `create role ${role} login password 'read'; grant usage on schema tasker to ${role}; grant select on all tables in schema tasker to ${role}`,
  );
  await sql(`update tasker.analytics_state set counted_at = now() - interval '1 hour'`);
  const as = new URL(url);
  as.username = role;
  as.password = 'read';
  const reader = await createTasker({
    databaseUrl: as.toString(),
    worker: false,
    migrate: false,
    autoStart: false,
    logger: silentLogger,
  });
  try {
    const { countedUntil, steps } = await reader.analytics();
    expect(Date.now() - Date.parse(countedUntil)).toBeGreaterThan(3_000_000);
    expect(steps.attempts).toBe(0);
  } finally {
    await reader.stop();
    await sql(`drop owned by ${role}; drop role ${role}`);
  }
});
