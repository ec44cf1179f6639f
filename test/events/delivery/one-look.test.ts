import { expect, it } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { BaseSubscriber } from '../../../src/events/subscribing/base-subscriber.ts';
import { SubscriberRegistry } from '../../../src/events/subscribing/subscriber-registry.ts';
import { consumer, publishTo } from '../../support/events/deliveries.ts';
import { setup, until } from '../../support/setup.ts';

/** BEGIN, the planner setting, the query, COMMIT. */
const STATEMENTS_PER_POLL = 4;

/** The number of measured polls. There is one per second. */
const MEASURED_POLLS = 5;

function keeping(name: string) {
  class Keeping extends BaseSubscriber {
    override readonly subscriberName = name;
    readonly kept: unknown[] = [];
    handle({ payload }: { payload: Record<string, unknown> }) {
      this.kept.push(payload.n);
    }
  }
  return new Keeping();
}

/** Measures the time in which the process sends the statements of this number of polls. */
async function timeOf(tasker: Tasker, polls: number): Promise<number> {
  const [from, startedAt] = [tasker.statements, performance.now()];
  await until(
    () => tasker.statements,
    (now) => now >= from + polls * STATEMENTS_PER_POLL,
  );
  return performance.now() - startedAt;
}

it('an idle process polls the log once a second for all its sinks and subscribers together', async () => {
  const registry = new SubscriberRegistry();
  registry.registerInstance(keeping('one'));
  // The keeper of the search tables and the statistics would also send statements.
  const quiet = { worker: false, searchEnabled: false, analyticsEnabled: false } as const;
  const { tasker } = await setup({ ...quiet, sinks: [consumer({ group: 'sink' })], subscribers: registry });
  // Added while the others run.
  registry.registerInstance(keeping('two'));
  // Waits until the work at startup has finished.
  await until(
    () => timeOf(tasker, 1),
    (ms) => ms > 500,
  );
  // Other statements of the process, such as those of a lost connection, can only shorten the time.
  const expected = (MEASURED_POLLS - 1) * 1_000 - 100;
  let longest = 0;
  for (let tries = 0; longest <= expected && tries < 4; tries++) {
    longest = Math.max(longest, await timeOf(tasker, MEASURED_POLLS));
  }
  expect(longest).toBeGreaterThan(expected);
});

it('subscribers can be added, stopped and restarted while a sink runs, and neither they nor the sink miss events', async () => {
  const [early, late] = [keeping('early'), keeping('late')];
  const sink = consumer({ group: 'sink' });
  const registry = new SubscriberRegistry();
  const { tasker, url } = await setup({ worker: false, sinks: [sink], subscribers: registry });
  registry.registerInstance(early);
  registry.registerInstance(late);
  await until(
    () => tasker.events.groups(),
    (groups) => groups.length === 3,
  );
  await publishTo(url, [{ payload: { n: 0 } }]);
  await until(
    () => [sink.ns, early.kept, late.kept],
    (all) => all.every((ns) => ns.length === 1),
  );
  await registry.stopAll();
  await publishTo(url, [{ payload: { n: 1 } }]);
  await until(
    () => sink.ns,
    (ns) => ns.length === 2,
  );
  expect([early.kept, late.kept]).toEqual([[0], [0]]);
  registry.startAll();
  await until(
    () => [early.kept, late.kept],
    (all) => all.every((ns) => ns.length === 2),
  );
  await publishTo(url, [{ payload: { n: 2 } }]);
  await until(
    () => [sink.ns, early.kept, late.kept],
    (all) => all.every((ns) => ns.length === 3),
  );
  await tasker.stop();
  expect([sink.ns, early.kept, late.kept]).toEqual([
    [0, 1, 2],
    [0, 1, 2],
    [0, 1, 2],
  ]);
});
