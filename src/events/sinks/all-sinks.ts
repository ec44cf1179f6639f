import type { TaskerConfig } from '../../config/config-keys.ts';
import type { Logger } from '../../logging/logger.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';
import { rabbitmqSink } from './rabbitmq-sink.ts';
import { checkConsuming, demand } from './sink-options.ts';
import { webhookSink } from './webhook-sink.ts';

const FORM = 'must be what webhookSink or rabbitmqSink gives, or { group, patterns, deliver } of your own';

/**
 * The sinks that a program names, which JavaScript may have made of anything, and those of its configuration.
 * @throws TaskerError `config_invalid`
 */
export function allSinks(given: readonly EventConsumer[], configured: readonly EventConsumer[]): EventConsumer[] {
  demand('createTasker', Array.isArray(given), 'sinks must be a list, as [webhookSink({ … })]');
  for (const [at, sink] of given.entries()) checkSink(`createTasker: sinks[${at}]`, sink);
  const twice = configured.find(({ group }) => given.some((sink) => sink.group === group));
  demand('events', !twice, `${twice?.group} is a group of the program's sinks and of the file's; name another`);
  return [...given, ...configured];
}

function checkSink(who: string, sink: Partial<EventConsumer> | null): void {
  demand(who, typeof sink === 'object' && sink !== null && typeof sink.deliver === 'function', FORM);
  checkConsuming(who, sink);
}

/** The sinks that a configuration names. Nothing is connected yet. @throws TaskerError `config_invalid` */
export function sinksFromConfig(config: TaskerConfig, logger: Logger): EventConsumer[] {
  const common = { timeoutMs: config.eventTimeoutMs, concurrency: config.eventConcurrency };
  const sinks = config.webhooks.map((webhook) => webhookSink({ ...common, ...webhook }));
  const { rabbitmqUrl: url, rabbitmqGroup: group, rabbitmqPatterns: patterns, rabbitmqFrom: from } = config;
  if (url !== undefined) {
    const maxDeliveries = config.rabbitmqMaxDeliveries;
    sinks.push(rabbitmqSink({ ...common, url, group, patterns, from, maxDeliveries, logger }));
  }
  const twice = sinks.find(({ group }, at) => sinks.findIndex((other) => other.group === group) !== at);
  demand('events', !twice, `two sinks have the group ${twice?.group}, and would share its events; name another`);
  return sinks;
}
