import { describe, expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { webhookSink } from '../../../src/events/sinks/webhook-sink.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { projectWith } from '../../support/config-folder.ts';
import { httpReceiver } from '../../support/events/http-receiver.ts';
import { DEMO, setup, template } from '../../support/setup.ts';

const charge = defineHandler('charge', {}, () => ({ payment_id: 'P-7' }));
const EVENT = { name: 'payment.processed', description: 'paid', schema: { type: 'object' } };
const templates = template({ charge: { publishes_events: [EVENT] } });
const ofWebhook = (url: string) => `[[events.webhooks]]\nname = "billing"\nurl = "${url}"\nallow_private = true\n`;

describe('a tasker', () => {
  it('delivers events to the sinks passed to it, and closes them when it stops', async () => {
    const { url, received } = await httpReceiver();
    let closed = 0;
    const webhook = webhookSink({ name: 'billing', url, allowPrivate: true });
    const close = async () => {
      closed++;
      await webhook.close?.();
    };
    const { tasker } = await setup({
      templates,
      handlers: [charge],
      sinks: [{ ...webhook, close }],
      logger: silentLogger,
    });
    const { taskUuid } = await tasker.createTask(DEMO);
    await expect.poll(() => received.length).toBe(1);
    expect(JSON.parse(received[0]!.body)).toMatchObject({
      type: 'payment.processed',
      data: { payment_id: 'P-7' },
      metadata: { task_uuid: taskUuid, step_name: 'charge', namespace: 'test' },
    });
    await tasker.stop();
    expect(closed).toBe(1);
  });

  it('delivers events to the sinks of its configuration only if it has a worker', async () => {
    const { url, received } = await httpReceiver();
    const config = loadConfig({ cwd: projectWith({ 'tasker.toml': ofWebhook(url) }), env: {} });
    const { tasker, sql, another } = await setup({ templates, worker: false, config, logger: silentLogger });
    expect(await sql('select name from tasker.event_group')).toEqual([]);
    await another({ worker: true, handlers: [charge] });
    await tasker.createTask(DEMO);
    await expect.poll(() => received.length).toBe(1);
    expect(await sql('select name from tasker.event_group')).toEqual([{ name: 'webhook:billing' }]);
  });

  it.each([
    [webhookSink({ name: 'billing', url: 'https://a.example' }), 'createTasker: sinks must be a list, such as'],
    [[{}], 'createTasker: sinks[0]: must be the result of webhookSink or rabbitmqSink'],
    [[null], 'createTasker: sinks[0]: must be the result of'],
    [[{ patterns: ['*'], deliver: async () => {} }], 'createTasker: sinks[0]: group must be a string'],
    [[{ group: 'own', deliver: async () => {} }], 'createTasker: sinks[0]: patterns must be'],
    [
      [{ group: 'own', patterns: ['*'], concurrency: '3', deliver: async () => {} }],
      'concurrency must be a whole number',
    ],
  ])('does not start with invalid sinks: %j', async (sinks, message) => {
    const started = createTasker({ worker: false, sinks: sinks as never });
    await expect(started).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining(message) });
  });

  it('does not start if a sink of the program has the same group as a sink of the configuration', async () => {
    const url = 'https://a.example';
    const config = loadConfig({ cwd: projectWith({ 'tasker.toml': ofWebhook(url) }), env: {} });
    const started = createTasker({ config, handlers: [charge], sinks: [webhookSink({ name: 'billing', url })] });
    const message =
      'events: sink group webhook:billing is defined both in the program and in the configuration file; rename one of them';
    await expect(started).rejects.toMatchObject({ code: 'config_invalid', message });
  });
});
