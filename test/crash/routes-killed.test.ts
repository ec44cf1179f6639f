import path from 'node:path';
import { expect, it } from 'vitest';
import { type Journal, openJournal, startWorker, type WorkerProcess } from '../support/crash/workers.ts';
import { invariants, setup, states, template } from '../support/setup.ts';

const LEASE_MS = 1_000;
const DONE = 'complete';

/** The ends of the example's two orders, and the steps that run in each. */
const ORDERS = {
  valid: {
    entry: 'O-1 shipped',
    ends: { reserve: DONE, charge: DONE, ship: DONE, release: 'skipped', tell: 'skipped', ledger: DONE },
    runs: ['reserve', 'charge', 'ship', 'ledger'],
  },
  declined: {
    entry: 'O-1 not shipped',
    ends: { reserve: DONE, charge: 'error', ship: 'skipped', release: DONE, tell: DONE, ledger: DONE },
    runs: ['reserve', 'charge', 'release', 'tell', 'ledger'],
  },
} as const;

/** Starts two workers, which tests kill. */
async function startTwo(databaseUrl: string, journal: Journal): Promise<{ replaceKilled(): Promise<number> }> {
  const start = () =>
    startWorker({ databaseUrl, journal, leaseMs: LEASE_MS, pollMs: 200, poolSize: 3, program: 'routes-worker.mjs' });
  let workers: WorkerProcess[] = await Promise.all([start(), start()]);
  return {
    /** Adds a worker to the running ones. Returns how many were killed. */
    async replaceKilled() {
      const living = workers.filter(({ code }) => code === undefined);
      const killed = workers.length - living.length;
      workers = [...living, await start()];
      return killed;
    },
  };
}

it('the example with routes ends as intended, whichever of its steps a worker is killed in', {
  timeout: 240_000,
}, async () => {
  const { tasker, sql, url } = await setup({ templates: path.resolve('examples/routes/templates'), worker: false });
  const journal = openJournal();
  const workers = await startTwo(url, journal);
  let kills = 0;
  for (const [card, { entry, ends, runs }] of Object.entries(ORDERS)) {
    for (const step of runs) {
      for (const moment of ['start', 'end']) {
        const at = `${card} card, killed at the ${moment} of ${step}`;
        const context = { order: 'O-1', customer: 'Ada', card, kill: { step, moment } };
        const { taskUuid } = await tasker.createTask({ namespace: 'routes_demo', name: 'take_order', context });
        const { status, output } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
        expect({ status, output, ends: await states(tasker, taskUuid) }, at).toEqual({
          status: DONE,
          output: { entry },
          ends,
        });
        // Each step of the route has run once, and the step in which the worker was killed twice.
        const started = journal.of('start').filter(({ task }) => task === taskUuid);
        const expected = runs.flatMap((name) => (name === step ? [`${name} 1`, `${name} 2`] : [`${name} 1`]));
        expect(started.map(({ step: name, attempt }) => `${name} ${attempt}`).sort(), at).toEqual(expected.sort());
        const history = await tasker.getHistory(taskUuid);
        expect(
          history.filter(({ what }) => what === 'worker_lost').map(({ step: name }) => name),
          at,
        ).toEqual([step]);
        await invariants(sql);
        const killed = await workers.replaceKilled();
        kills += killed;
      }
    }
  }
  expect(kills).toBe(18);
});

const RACE = template(
  {
    fast: { handler: 'race.quick', retry: { backoff: 'none' } },
    slow: { handler: 'race.slow', retry: { backoff: 'none' } },
    nap: { type: 'timer', handler: undefined, timer: { for: '1d' } },
    first: {
      handler: 'race.quick',
      dependencies: ['fast', 'slow', 'nap'],
      join: 'any',
      inputs: { fast: 'has(steps.fast)', slow: 'has(steps.slow)' },
      retry: { backoff: 'none' },
    },
    last: { handler: 'race.quick', dependencies: ['first'], retry: { backoff: 'none' } },
  },
  { name: 'race', namespace: 'routes_demo' },
);

it('a join starts once and its other parents are stopped, whichever step a worker is killed in', {
  timeout: 240_000,
}, async () => {
  const { tasker, sql, url } = await setup({ templates: [RACE], worker: false });
  const journal = openJournal();
  const workers = await startTwo(url, journal);
  let kills = 0;
  for (const step of ['fast', 'slow', 'first', 'last']) {
    for (const moment of ['start', 'end']) {
      const at = `killed at the ${moment} of ${step}`;
      const context = { kill: { step, moment } };
      const { taskUuid } = await tasker.createTask({ namespace: 'routes_demo', name: 'race', context });
      const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 });
      // A parent of the join that had not begun is skipped.
      const stopped = expect.stringMatching(/^(?:cancelled|skipped)$/);
      expect({ status, ends: await states(tasker, taskUuid) }, at).toEqual({
        status: DONE,
        ends: { fast: DONE, slow: stopped, nap: stopped, first: DONE, last: DONE },
      });
      const attempts = journal
        .of('start')
        .filter(({ task }) => task === taskUuid)
        .map(({ step: name, attempt }) => `${name} ${attempt}`);
      expect(new Set(attempts).size, at).toBe(attempts.length);
      await invariants(sql);
      const killed = await workers.replaceKilled();
      kills += killed;
    }
  }
  expect(kills).toBeGreaterThanOrEqual(6);
});
