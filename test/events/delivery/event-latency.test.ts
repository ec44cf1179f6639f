import { expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { consumer, deliveries } from '../../support/events/deliveries.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';
import { leastOf } from '../../support/suite/measure.ts';

const ROUNDS = 9;
/** Twenty-five times the latency on an idle machine. */
const DURABLE_MS = 500;
const FAST_MS = 50;

const paying = (delivery_mode: string) =>
  template({ pay: { publishes_events: [{ name: 'payment.done', description: 'paid', schema: {}, delivery_mode }] } });
const pay = defineHandler('pay', {}, () => ({ paid: true }));

/** The median time in milliseconds from the end of a task to the effect of its event. The tasks run one after another. */
async function medianOf(tasker: Tasker, handledAt: Map<string, number>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.waitForTask(taskUuid);
    const endedAt = performance.now();
    await until(
      () => handledAt,
      (handled) => handled.has(taskUuid),
    );
    times.push(handledAt.get(taskUuid)! - endedAt);
  }
  return times.sort((a, b) => a - b)[ROUNDS >> 1]!;
}

it('a durable event reaches another process immediately, long before the next poll', async () => {
  const { url, start } = await deliveries();
  const handledAt = new Map<string, number>();
  await start([consumer({}, ({ taskUuid }) => handledAt.set(taskUuid, performance.now()))], { pollMs: 60_000 });
  const options = { databaseUrl: url, templates: paying('durable'), handlers: [pay], logger: silentLogger };
  await using tasker = await createTasker(options);
  expect(await leastOf(DURABLE_MS, () => medianOf(tasker, handledAt), 5)).toBeLessThan(DURABLE_MS);
});

it('a fast event reaches a subscriber of its process as soon as it is committed', async () => {
  const { tasker } = await setup({ templates: paying('fast'), handlers: [pay] });
  const handledAt = new Map<string, number>();
  tasker.eventBus.subscribe(({ taskUuid }) => handledAt.set(taskUuid, performance.now()));
  expect(await leastOf(FAST_MS, () => medianOf(tasker, handledAt), 5)).toBeLessThan(FAST_MS);
});
