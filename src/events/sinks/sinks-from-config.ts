import type { TaskerConfig } from '../../config/tasker-config.ts';
import type { Logger } from '../../logging/logger.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';
import { rabbitmqSink } from './rabbitmq-sink.ts';
import { demand } from './sink-options.ts';
import { webhookSink } from './webhook-sink.ts';

type SinkConfig = Pick<
  TaskerConfig,
  | 'webhooks'
  | 'rabbitmqUrl'
  | 'rabbitmqGroup'
  | 'rabbitmqPatterns'
  | 'rabbitmqFrom'
  | 'rabbitmqMaxDeliveries'
  | 'eventTimeoutMs'
  | 'eventConcurrency'
>;

/** The sinks that a configuration names. Nothing is connected yet. @throws TaskerError `config_invalid` */
export function sinksFromConfig(config: SinkConfig, logger: Logger): EventConsumer[] {
  const common = { timeoutMs: config.eventTimeoutMs, concurrency: config.eventConcurrency };
  const sinks = config.webhooks.map((webhook) => webhookSink({ ...common, ...webhook }));
  const { rabbitmqUrl: url } = config;
  if (url !== undefined) {
    const { rabbitmqGroup: group, rabbitmqPatterns: patterns, rabbitmqFrom: from } = config;
    const maxDeliveries = config.rabbitmqMaxDeliveries;
    sinks.push(rabbitmqSink({ ...common, url, group, patterns, from, maxDeliveries, logger }));
  }
  const twice = sinks.find(({ group }, at) => sinks.findIndex((other) => other.group === group) !== at);
  demand('events', !twice, `two sinks have the group ${twice?.group}, and would share its events; name another`);
  return sinks;
}
