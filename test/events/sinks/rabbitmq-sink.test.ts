import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { deliveryFailureOf } from '../../../src/events/delivery/deliver.ts';
import type { EventConsumer } from '../../../src/events/delivery/event-consumer.ts';
import { Halt } from '../../../src/events/halt.ts';
import { type RabbitmqSinkOptions, rabbitmqSink } from '../../../src/events/sinks/rabbitmq-sink.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { deliveryContext, loggedEvent } from '../../support/events/logged-event.ts';
import { type RabbitmqServer, rabbitmqServer, TOO_LARGE_BYTES } from '../../support/events/rabbitmq-server.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';
import { describeWith } from '../../support/suite/programs.ts';

describe('rabbitmqSink', () => {
  it('creates a group with the usual options without connecting', () => {
    expect(rabbitmqSink({ url: 'amqp://nowhere.invalid' })).toMatchObject({
      group: 'rabbitmq',
      patterns: ['*'],
      maxDeliveries: 300,
    });
    const options = { group: 'outside', patterns: ['order.*'], from: 'beginning', maxDeliveries: 2 } as const;
    expect(rabbitmqSink({ url: 'amqps://nowhere.invalid/v', ...options })).toMatchObject(options);
  });

  it('rejects an invalid RabbitMQ URL without repeating it in the message', () => {
    const make = () => rabbitmqSink({ url: 'http://user:pw@broker' });
    expect(make).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(make).not.toThrow(/pw/);
  });

  it('rejects an unknown option and suggests a similar one', () => {
    const make = () => rabbitmqSink({ url: 'amqp://broker', ...{ pattern: ['order.*'] } });
    expect(make).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        message: 'rabbitmq: pattern is unknown; did you mean patterns?',
      }),
    );
  });

  it('fails a delivery while no broker is reachable, and can then be closed', async () => {
    const sink = rabbitmqSink({ url: 'amqp://user:pw@127.0.0.1:9' });
    const halt = new Halt();
    setTimeout(() => halt.halt(new Error('the delivery timed out')), 200);
    await expect(sink.deliver(loggedEvent(), deliveryContext({ halt }))).rejects.toThrow();
    await sink.close!();
  });
});

describeWith('rabbitmq-server', 'with a broker', () => {
  let broker: RabbitmqServer;
  beforeAll(async () => {
    broker = await rabbitmqServer();
    await broker.start();
  });
  afterAll(() => broker.remove());

  function sink(options: Partial<RabbitmqSinkOptions> = {}): EventConsumer {
    const made = rabbitmqSink({ url: broker.url, ...options });
    onTestFinished(() => made.close?.());
    return made;
  }

  /** Reads messages like another program, which knows only the queue. */
  async function reading<T>(work: (reader: Connection) => Promise<T>): Promise<T> {
    const reader = new Connection(broker.url);
    reader.on('error', () => {});
    try {
      return await work(reader);
    } finally {
      await reader.close();
    }
  }

  const take = (queue: string) => reading((reader) => reader.basicGet({ queue, noAck: true }));

  const takeIfThere = (queue: string) =>
    take(queue).catch((error: { code?: string }) => {
      if (error.code === 'NOT_FOUND') return undefined;
      throw error;
    });

  async function takeAll(queue: string): Promise<string[]> {
    return reading(async (reader) => {
      const ids: string[] = [];
      for (;;) {
        const message = await reader.basicGet({ queue, noAck: true });
        if (!message) return ids;
        ids.push(message.messageId!);
      }
    });
  }

  it('each event is a persistent message with the whole envelope in the queue of its namespace', async () => {
    const event = loggedEvent({ namespace: 'shop' });
    const whole = { event_id: event.eventId, payload: { payload: { note: 'für Ada' } } };
    await sink().deliver(event, deliveryContext({ envelope: async () => whole }));
    const message = await take('shop_domain_events');
    expect(message).toMatchObject({
      body: whole,
      messageId: event.eventId,
      type: 'payment.processed',
      contentType: 'application/json',
      durable: true,
      routingKey: 'shop_domain_events',
    });
    const again = { queue: 'shop_domain_events_dlq', durable: true };
    expect(await reading((reader) => reader.queueDeclare(again))).toMatchObject({ messageCount: 0 });
  });

  it('an event declared by a step arrives with the task, the step and its result', async () => {
    const charge = defineHandler('charge', {}, () => ({ payment_id: 'P-7' }));
    const event = { name: 'payment.processed', description: 'paid', schema: { type: 'object' } };
    const { tasker } = await setup({
      templates: template({ quote: [], charge: { dependencies: ['quote'], publishes_events: [event] } }),
      handlers: [defineHandler('quote', {}, () => ({ amount: 5 })), charge],
      sinks: [rabbitmqSink({ url: broker.url })],
      logger: silentLogger,
    });
    const { taskUuid } = await tasker.createTask({ ...DEMO, context: { order: 'O-1' } });
    const message = await until(
      () => takeIfThere('test_domain_events'),
      (one) => one !== undefined,
      60_000,
    );
    const step = (await tasker.getSteps(taskUuid)).find(({ name }) => name === 'charge')!;
    expect(message).toMatchObject({ messageId: message!.body.event_id, durable: true });
    expect(message!.body).toMatchObject({
      event_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      event_name: 'payment.processed',
      event_version: '1.0',
      payload: {
        task_sequence_step: {
          task: { task: { task_uuid: taskUuid, context: { order: 'O-1' } } },
          workflow_step: { workflow_step_uuid: step.stepUuid, name: 'charge' },
          dependency_results: { quote: { result: { amount: 5 } } },
        },
        execution_result: { success: true, result: { payment_id: 'P-7' }, step_uuid: step.stepUuid },
        payload: { payment_id: 'P-7' },
      },
      metadata: { task_uuid: taskUuid, step_uuid: step.stepUuid, step_name: 'charge', namespace: 'test' },
    });
    expect(Object.keys(message!.body as object)).toEqual([
      'event_id',
      'event_name',
      'event_version',
      'payload',
      'metadata',
    ]);
  });

  it('a message that a reader rejects is moved to the dead letter queue', async () => {
    const event = loggedEvent({ namespace: 'refused' });
    await sink().deliver(event, deliveryContext());
    await reading(async (reader) => {
      const channel = await reader.acquire();
      const message = await channel.basicGet('refused_domain_events');
      channel.basicNack({ deliveryTag: message!.deliveryTag, requeue: false });
      await channel.close();
    });
    expect((await take('refused_domain_events_dlq'))?.messageId).toBe(event.eventId);
  });

  it('existing queues are not changed', async () => {
    await reading((reader) =>
      reader.queueDeclare({ queue: 'own_domain_events', durable: true, arguments: { 'x-queue-type': 'quorum' } }),
    );
    const event = loggedEvent({ namespace: 'own' });
    await sink().deliver(event, deliveryContext());
    expect((await take('own_domain_events'))?.messageId).toBe(event.eventId);
  });

  it('a deleted queue fails the delivery and is recreated for the next one', async () => {
    const to = sink();
    await to.deliver(loggedEvent({ namespace: 'gone' }), deliveryContext());
    await reading((reader) => reader.queueDelete('gone_domain_events'));
    const event = loggedEvent({ namespace: 'gone' });
    await expect(to.deliver(event, deliveryContext())).rejects.toThrow(
      'the queue does not exist; it is created before the next message',
    );
    await to.deliver(event, deliveryContext());
    expect(await takeAll('gone_domain_events')).toEqual([event.eventId]);
  });

  it('an event that is too large for the broker fails permanently without affecting other events', async () => {
    const to = sink();
    const large = to
      .deliver(
        loggedEvent({ namespace: 'large' }),
        deliveryContext({ envelope: async () => 'x'.repeat(TOO_LARGE_BYTES) }),
      )
      .catch((thrown: unknown) => thrown);
    const others = Array.from({ length: 20 }, () => loggedEvent({ namespace: 'large' }));
    await Promise.all(others.map((event) => to.deliver(event, deliveryContext())));
    const error = await large;
    expect(error).toMatchObject({ message: expect.stringMatching(/queue large_domain_events: .*larger than/) });
    expect(deliveryFailureOf(error).permanent).toBe(true);
    expect((await takeAll('large_domain_events')).sort()).toEqual(others.map(({ eventId }) => eventId).sort());
  });

  it('no confirmed event is lost when the broker is killed, and delivery continues once the broker has restarted', async () => {
    // The broker confirms messages before the definition of their new queue is on disk, so the queue is created earlier.
    const first = loggedEvent({ namespace: 'killed' });
    await sink().deliver(first, deliveryContext());
    await broker.stop();
    await broker.start();
    const lines: string[] = [];
    const line = (fields: object | string, message?: string) => lines.push(message ?? String(fields));
    const logger = { trace: () => {}, debug: () => {}, info: line, warn: line, error: line, child: () => logger };
    const to = sink({ logger });
    const [confirmed, failed]: [string[], Error[]] = [[first.eventId], []];
    let sending = true;
    /** Retries failed messages, as the delivery does. */
    const sender = async () => {
      while (sending) {
        const event = loggedEvent({ namespace: 'killed' });
        for (let done = false; !done; ) {
          await to.deliver(event, deliveryContext()).then(
            () => {
              done = true;
              confirmed.push(event.eventId);
            },
            (error: unknown) => failed.push(error as Error),
          );
        }
      }
    };
    const senders = Array.from({ length: 10 }, sender);
    await expect.poll(() => confirmed.length).toBeGreaterThan(100);
    await broker.kill();
    await expect.poll(() => failed.length).toBeGreaterThanOrEqual(1);
    const before = confirmed.length;
    await broker.start();
    await expect.poll(() => confirmed.length, { timeout: 60_000 }).toBeGreaterThan(before + 100);
    sending = false;
    await Promise.all(senders);

    const there = new Set(await takeAll('killed_domain_events'));
    const missing = confirmed.flatMap((id, at) => (there.has(id) ? [] : [at]));
    const counts = `${confirmed.length} confirmed, ${before} of them before the kill; ${there.size} in the queue`;
    expect(missing, counts).toEqual([]);
    expect(failed.every((error) => !deliveryFailureOf(error).permanent)).toBe(true);
    expect(failed.map(({ message }) => message).join()).not.toContain('guest');
    const { host } = new URL(broker.url);
    expect(lines).toEqual([`RabbitMQ ${host}: connection lost; events wait`, `RabbitMQ ${host} reconnected`]);
  });
});
