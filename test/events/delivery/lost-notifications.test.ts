import { expect, it } from 'vitest';
import { BaseSubscriber } from '../../../src/events/subscribing/base-subscriber.ts';
import type { DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { startProxy } from '../../support/crash/proxy.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';

const TEMPLATE = template({ pay: { publishes_events: [{ name: 'payment.done', description: 'paid', schema: {} }] } });
const pay = defineHandler('pay', {}, () => ({ paid: true }));

it('events whose notification is lost are found by polling, every second by default', async () => {
  const { tasker, another, url } = await setup({ templates: TEMPLATE, handlers: [pay] });
  const heard: { task: string; at: number }[] = [];
  class Audit extends BaseSubscriber {
    static override subscriberName = 'audit';
    handle({ metadata }: DomainEvent) {
      heard.push({ task: metadata.taskUuid, at: performance.now() });
    }
  }
  const proxy = await startProxy(url);
  await another({ worker: false, templates: [], subscribers: [Audit], databaseDirectUrl: proxy.url });
  // The listening connection of the second process stays open, but receives nothing from now on.
  proxy.silence();
  const between = () => heard.slice(1).map(({ at }, n) => at - heard[n]!.at);
  // Each event except the first is committed right after a poll and waits for the next poll. A busy machine can delay some
  // of them.
  while (heard.length < 4 || (Math.min(...between()) >= 1_500 && heard.length < 15)) {
    const { taskUuid } = await tasker.createTask(DEMO);
    await tasker.waitForTask(taskUuid);
    await until(
      () => heard,
      (events) => events.some(({ task }) => task === taskUuid),
    );
  }
  expect(new Set(heard.map(({ task }) => task)).size).toBe(heard.length);
  // The average, because a busy machine can delay one event and not the next.
  expect(between().reduce((sum, ms) => sum + ms, 0) / between().length).toBeGreaterThan(700);
  expect(Math.min(...between())).toBeLessThan(1_500);
});
