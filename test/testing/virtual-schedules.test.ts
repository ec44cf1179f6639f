import { afterEach, describe, expect, inject, it } from 'vitest';
import { type TestTasker, type TestTaskerOptions, testTasker } from '../../src/testing/index.ts';
import { template } from '../support/setup.ts';

const kits: TestTasker[] = [];
afterEach(() => Promise.all(kits.splice(0).map((kit) => kit.stop())));

async function kitOf(options: TestTaskerOptions): Promise<TestTasker> {
  const kit = await testTasker({ databaseUrl: inject('servers')[inject('postgres')]!, ...options });
  kits.push(kit);
  return kit;
}

interface Fired {
  name: string;
  due_at: string;
}
const scheduleOf = (context: object) => (context as { schedule: Fired }).schedule;
const timer = (wait: string, dependencies: string[] = []) => ({
  handler: null,
  type: 'timer',
  timer: { for: wait },
  dependencies,
});

describe('schedules in a test kit', () => {
  it('fire once for each due time when the time is advanced', async () => {
    const fired: Fired[] = [];
    const kit = await kitOf({
      templates: template({ a: [] }),
      stubs: { a: (context) => ({ at: fired.push(scheduleOf(context)) }) },
    });
    const begun = kit.now().getTime();
    await kit.tasker.schedules.create({
      name: 'morning',
      template: 'test/demo@1.0.0',
      cron: '0 9 * * *',
      timezone: 'Europe/Berlin',
    });
    await kit.advanceTime('30 days');
    expect(fired).toHaveLength(30);
    const hours = new Set(
      fired.map(({ due_at }) =>
        new Date(due_at).toLocaleTimeString('en-GB', { timeZone: 'Europe/Berlin', hour12: false }),
      ),
    );
    expect([...hours]).toEqual(['09:00:00']);
    const dues = fired.map(({ due_at }) => Date.parse(due_at));
    expect(dues).toEqual([...new Set(dues)].toSorted((a, b) => a - b));
    expect(dues[0]! - begun).toBeLessThanOrEqual(25 * 3_600_000);
    const { last, next } = await kit.tasker.schedules.get('morning');
    expect(last.every(({ outcome, cause }) => outcome === 'created' && cause === 'due')).toBe(true);
    expect(Date.parse(next[0]!)).toBeGreaterThan(kit.now().getTime());
  });

  it('fire in order among timers and retries', async () => {
    const order: string[] = [];
    const day = (name: string, kit: TestTasker, begun: number) =>
      order.push(`${name} ${Math.round((kit.now().getTime() - begun) / 3_600_000)}`);
    const kit: TestTasker = await kitOf({
      templates: [
        template({ wait: timer('36h'), mid: ['wait'], more: timer('24h', ['mid']), late: ['more'] }),
        template({ tick: [] }, { name: 'ticks' }),
      ],
      stubs: {
        mid: () => ({ n: day('mid', kit, begun) }),
        late: () => ({ n: day('late', kit, begun) }),
        tick: () => ({ n: day('tick', kit, begun) }),
      },
    });
    const begun = kit.now().getTime();
    await kit.tasker.schedules.create({ name: 'daily', template: 'test/ticks@1.0.0', every: '1d' });
    await kit.run({ namespace: 'test', name: 'demo' });
    await kit.advanceTime('3 days');
    expect(order).toEqual(['tick 24', 'mid 36', 'tick 48', 'late 60', 'tick 72']);
  });

  it('respect their overlap with few statements', async () => {
    const kit = await kitOf({ templates: template({ wait: timer('60h') }) });
    await kit.tasker.schedules.create({
      name: 'daily',
      template: 'test/demo@1.0.0',
      every: '1d',
      overlap: 'queue_one',
    });
    const before = kit.tasker.statements;
    await kit.advanceTime('5 days');
    expect(kit.tasker.statements - before).toBeLessThan(1_000);
    const { last } = await kit.tasker.schedules.get('daily');
    // The first task runs from day 1 to day 3.5. Then the task of day 3 starts, which replaced the one of day 2.
    expect(last.toReversed().map(({ outcome, cause }) => [outcome, cause])).toEqual([
      ['created', 'due'],
      ['skipped', 'due'],
      ['created', 'queued'],
      ['skipped', 'due'],
      ['queued', 'due'],
    ]);
  });

  it('use the time of the test kit if they are created, paused or resumed after the time was advanced', async () => {
    const kit = await kitOf({ templates: template({ a: [] }), stubs: { a: () => ({}) } });
    await kit.advanceTime('100 days');
    await kit.tasker.schedules.create({ name: 'daily', template: 'test/demo@1.0.0', every: '1d' });
    const { next } = await kit.tasker.schedules.get('daily');
    expect(Date.parse(next[0]!) - kit.now().getTime()).toBeGreaterThan(86_400_000 - 60_000);
    await kit.advanceTime('36h');
    await kit.tasker.schedules.pause('daily');
    await kit.advanceTime('2 days');
    await kit.tasker.schedules.resume('daily');
    await kit.advanceTime('1d');
    const { last } = await kit.tasker.schedules.get('daily');
    expect(last.toReversed().map(({ outcome }) => outcome)).toEqual(['created', 'missed', 'missed', 'created']);
    const due = await kit.tasker.schedules.backfill('daily', {
      from: new Date(kit.now().getTime() - 3 * 86_400_000),
      to: kit.now(),
      dryRun: true,
    });
    expect(due).toHaveLength(3);
  });

  it('simulate a year of scheduled billing in a fraction of a second', async () => {
    let bills = 0;
    const kit = await kitOf({
      templates: [
        template({
          bill: [],
          paid: {
            handler: null,
            type: 'signal',
            dependencies: ['bill'],
            signal: { name: 'paid', timeout: '7d', on_timeout: 'complete', default: { paid: false } },
          },
          close: ['paid'],
        }),
      ],
      stubs: { bill: () => ({ bills: ++bills }), close: () => ({}) },
    });
    await kit.tasker.schedules.create({ name: 'monthly', template: 'test/demo@1.0.0', cron: '0 0 1 * *' });
    const before = kit.tasker.statements;
    await kit.advanceTime('365 days');
    expect(bills).toBe(12);
    expect(kit.tasker.statements - before).toBeLessThan(1_800);
    const tasks = await kit.tasker.listTasks({ limit: 100 });
    expect(new Set(tasks.slice(1).map(({ status }) => status))).toEqual(new Set(['complete']));
  });
});
