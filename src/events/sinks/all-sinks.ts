import { arePatterns, PATTERNS_WORDS } from '../../config/value-forms.ts';
import { wrongOption } from '../consuming-options.ts';
import type { EventConsumer } from '../delivery/event-consumer.ts';
import { GROUP_NAME_WORDS, isGroupName } from '../group-name.ts';
import { demand } from './sink-options.ts';

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
  const { group, patterns, from, concurrency, timeoutMs, maxDeliveries } = sink;
  demand(who, isGroupName(group), `group must be ${GROUP_NAME_WORDS}`);
  demand(who, Array.isArray(patterns) && arePatterns(patterns), `patterns must be ${PATTERNS_WORDS}`);
  const wrong = wrongOption({ from, concurrency, timeoutMs, maxDeliveries });
  demand(who, wrong === undefined, wrong ?? '');
}
