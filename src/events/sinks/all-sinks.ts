import type { TaskerConfig } from '../../config/config-keys.ts';
import type { Logger } from '../../logging/logger.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';
import { rabbitmqSink } from './rabbitmq-sink.ts';
import { checkConsuming, demand } from './sink-options.ts';
import { webhookSink } from './webhook-sink.ts';

const FORM = 'must be the result of webhookSink or rabbitmqSink, or an object { group, patterns, deliver }';

/**
 * Checks the sinks that a program passed and combines them with the sinks in its configuration.
 * @throws TaskerError `config_invalid`
 */
export function allSinks(given: readonly EventConsumer[], configured: readonly EventConsumer[]): EventConsumer[] {
  demand('createTasker', Array.isArray(given), 'sinks must be a list, such as [webhookSink({ … })]');
  for (const [at, sink] of given.entries()) checkSink(`createTasker: sinks[${at}]`, sink);
  const twice = configured.find(({ group }) => given.some((sink) => sink.group === group));
  demand(
    'events',
    !twice,
    `sink group ${twice?.group} is defined both in the program and in the configuration file; rename one of them`,
  );
  return [...given, ...configured];
}

function checkSink(who: string, sink: Partial<EventConsumer> | null): void {
  demand(who, typeof sink === 'object' && sink !== null && typeof sink.deliver === 'function', FORM);
  checkConsuming(who, sink);
}

/** Creates the sinks of a configuration, without connecting. @throws TaskerError `config_invalid` */
export function sinksFromConfig(config: TaskerConfig, logger: Logger): EventConsumer[] {
  const common = { timeoutMs: config.eventTimeoutMs, concurrency: config.eventConcurrency };
  const sinks = config.webhooks.map((webhook) => webhookSink({ ...common, ...webhook }));
  const { rabbitmqUrl: url, rabbitmqGroup: group, rabbitmqPatterns: patterns, rabbitmqFrom: from } = config;
  if (url !== undefined) {
    const maxDeliveries = config.rabbitmqMaxDeliveries;
    sinks.push(rabbitmqSink({ ...common, url, group, patterns, from, maxDeliveries, logger }));
  }
  const twice = sinks.find(({ group }, at) => sinks.findIndex((other) => other.group === group) !== at);
  demand('events', !twice, `two sinks have the group ${twice?.group} and would share its events; rename one of them`);
  return sinks;
}
