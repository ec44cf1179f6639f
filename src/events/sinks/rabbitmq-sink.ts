import { rabbitmqUrl } from '../../config/value-forms.ts';
import { type AnyLogger, loggerOf } from '../../logging/any-logger.ts';
import { silentLogger } from '../../logging/logger.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';
import { RabbitmqPublisher } from './rabbitmq-publisher.ts';
import { queueOf } from './rabbitmq-queues.ts';
import { checkKnown, consumingAs, demand, type SinkOptions, untilAborted } from './sink-options.ts';

/** Options of {@link rabbitmqSink}. */
export interface RabbitmqSinkOptions extends SinkOptions {
  /** `amqp://user:password@host:5672/vhost`, or `amqps:` for TLS. */
  url: string;
  /** Receives a line when the connection is lost and when it is restored. Default: no logging. */
  logger?: AnyLogger | undefined;
}

const OWN: readonly (keyof RabbitmqSinkOptions)[] = ['url', 'logger'];

/**
 * Sends durable domain events to RabbitMQ, to the durable queue `{namespace}_domain_events`. Each is a persistent JSON
 * message with the whole envelope; `message_id` is the event's id and `type` its name. A delivery succeeds when the broker
 * has confirmed it. Missing queues are created, each with a queue `…_dlq` for rejected messages. The connection opens with
 * the first event.
 *
 * @example
 * const broker = rabbitmqSink({ url: 'amqp://shop:secret@broker.example', patterns: ['payment.*', 'order.*'] });
 * console.log(broker.group); // 'rabbitmq'
 * @throws TaskerError `config_invalid`
 */
export function rabbitmqSink(options: RabbitmqSinkOptions): EventConsumer {
  const { url, group = 'rabbitmq', logger = silentLogger } = options;
  checkKnown('rabbitmq', options, OWN);
  demand('rabbitmq', url !== '' && rabbitmqUrl.schema.safeParse(url).success, `url must be ${rabbitmqUrl.words}`);
  const place = `RabbitMQ ${new URL(url).host}`;
  const publisher = new RabbitmqPublisher({ url, place, logger: loggerOf(logger) });
  return {
    ...consumingAs('rabbitmq', group, options),
    async deliver(event, { halt, envelope }) {
      const body = Buffer.from(JSON.stringify(await envelope()));
      const message = { queue: queueOf(event.namespace), messageId: event.eventId, type: event.name, body };
      await untilAborted(publisher.send(message), halt.signal);
    },
    close: () => publisher.close(),
  };
}
