import { describe, expect, it } from 'vitest';
import { webhookSink } from '../../../src/events/sinks/webhook-sink.ts';
import { uuidV7 } from '../../../src/model/ids.ts';
import { deliveries } from '../../support/events/deliveries.ts';
import { httpReceiver } from '../../support/events/http-receiver.ts';

const SECRETS = [`whsec_${Buffer.alloc(32, 1).toString('base64')}`];

describe('events of the log, delivered to a webhook', () => {
  it('are sent again with the same id after a failure, but not after a permanent failure', async () => {
    const answers: Record<string, number[]> = { busy: [500, 204], refused: [410], right: [200] };
    const { url, received } = await httpReceiver((response, { body }) => {
      const { type } = JSON.parse(body) as { type: string };
      response.writeHead(answers[type.split('.')[1]!]!.shift() ?? 500).end();
    });
    const { start, publish, sql } = await deliveries();
    await start([webhookSink({ name: 'billing', url, secrets: SECRETS, allowPrivate: true, patterns: ['order.*'] })]);
    const taskUuid = uuidV7();
    await publish(
      { name: 'order.refused', taskUuid },
      { name: 'order.right', taskUuid },
      { name: 'other.right', taskUuid },
      { name: 'order.busy', taskUuid: uuidV7() },
    );
    await expect.poll(() => received.length).toBe(4);
    const of = (name: string) =>
      received.filter(({ body }) => body.includes(`"type":"${name}"`)).map(({ headers }) => headers['webhook-id']);
    expect(of('order.busy')).toHaveLength(2);
    expect(new Set(of('order.busy')).size).toBe(1);
    expect([of('order.refused').length, of('order.right').length, of('other.right').length]).toEqual([1, 1, 0]);
    const dead = () => sql('select attempts, error from tasker.event_dead');
    await expect.poll(dead).toEqual([
      {
        attempts: 1,
        error: expect.stringMatching(
          /^webhook billing: http:\/\/127.0.0.1:\d+\/\*\*\* returned 410: the receiver is gone$/,
        ),
      },
    ]);
  });
});
