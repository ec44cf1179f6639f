import { describe, expect, it } from 'vitest';
import type { CreateTaskerOptions } from '../../../src/app/create-tasker.ts';
import { BaseSubscriber } from '../../../src/events/subscribing/base-subscriber.ts';
import type { DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import { SubscriberRegistry } from '../../../src/events/subscribing/subscriber-registry.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';

const event = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  description: 'it happened',
  schema: {},
  ...more,
});
const pay = defineHandler('pay', {}, () => ({ paid: true }));
const paid = (...events: object[]) => template({ pay: { publishes_events: events } });

/** A subscriber class whose instances record each event after handling it. */
function noting(name: string, patterns: string[], pause: () => Promise<void> | void = () => {}) {
  const handled: string[] = [];
  class Noting extends BaseSubscriber {
    static override subscriberName = name;
    override subscribesTo = () => patterns;
    async handle({ eventName, metadata }: DomainEvent) {
      await pause();
      handled.push(`${metadata.taskUuid} ${eventName}`);
    }
  }
  return { Noting, handled };
}

describe('a group', () => {
  it('handles each event once across clean restarts of its process, while another process publishes', async () => {
    const { tasker, another } = await setup({
      templates: paid(event('payment.authorized'), event('payment.done')),
      handlers: [pay],
    });
    // Deliveries are always in progress when the process stops.
    const pause = () => new Promise<void>((resolve) => setTimeout(resolve, Math.random() * 8));
    const audit = noting('audit', ['*'], pause);
    const receipts = noting('receipts', ['payment.d*'], pause);
    const process: CreateTaskerOptions = {
      worker: false,
      handlers: [],
      subscribers: [audit.Noting, receipts.Noting],
    };
    let subscribing = await another(process);
    const tasks: string[] = [];
    for (let restarts = 0; restarts < 6; restarts++) {
      const created = await tasker.createTasks(Array.from({ length: 50 }, () => DEMO));
      tasks.push(...created.map(({ taskUuid }) => taskUuid));
      const before = audit.handled.length;
      await until(
        () => audit.handled.length,
        (count) => count > before + 10,
      );
      await subscribing.stop();
      subscribing = await another(process);
    }
    await until(
      () => subscribing.events.groups(),
      (groups) => groups.every(({ waiting, retrying }) => waiting === 0 && retrying === 0),
    );
    await subscribing.stop();
    const of = (name: string) => tasks.map((task) => `${task} ${name}`);
    expect(receipts.handled.toSorted()).toEqual(of('payment.done').sort());
    expect(audit.handled.toSorted()).toEqual([...of('payment.authorized'), ...of('payment.done')].sort());
  });

  it('handles each event once across a restart if its subscriber is registered twice with overlapping patterns', async () => {
    const audit = noting('audit', ['payment.*', '*.stored', 'payment.stored', '*', 'payment.*']);
    const events = [
      event('payment.stored'),
      event('payment.live', { delivery_mode: 'fast' }),
      event('payment.both', { delivery_mode: 'broadcast' }),
    ];
    const registry = new SubscriberRegistry();
    registry.register(audit.Noting);
    registry.register(audit.Noting);
    const { tasker, another } = await setup({ templates: paid(...events), handlers: [pay], subscribers: registry });
    const one = await tasker.createTask(DEMO);
    await until(
      () => audit.handled.length,
      (count) => count >= 3,
    );
    await tasker.stop();
    const again = await another({ subscribers: [audit.Noting, audit.Noting] });
    const two = await again.createTask(DEMO);
    await until(
      () => audit.handled.length,
      (count) => count >= 6,
    );
    await again.stop();
    const of = (task: string) => ['payment.stored', 'payment.live', 'payment.both'].map((name) => `${task} ${name}`);
    expect(audit.handled.toSorted()).toEqual([...of(one.taskUuid), ...of(two.taskUuid)].sort());
  });
});
