import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checked, isStandardSchema } from '../../handlers/argument-readers.ts';
import { BaseSubscriber, type SubscriberClass } from './base-subscriber.ts';
import { checkDelivery, checkPatterns, refusal } from './check-subscriber.ts';
import type { DomainEvent } from './domain-event.ts';
import type { EventDelivery, SubscriberDelivery } from './subscriber.ts';
import { resultOfHandling, type SubscriberResult } from './subscriber-result.ts';

/** Options of {@link defineSubscriber}. */
export interface DefineSubscriberOptions extends SubscriberDelivery {
  /**
   * The name of the subscriber and its group. Always set this option. Default: the name of the function, otherwise the
   * patterns.
   */
  name?: string;
}

/**
 * Creates a subscriber from a function. The function may return a `SubscriberResult` or any other value. The payload of
 * the event is the output of the schema, and has its type. An event whose payload does not match the schema becomes a
 * dead delivery immediately, because a retry would fail too. The error names the path. Set a name, because it is also
 * the name of the group: if it changes, a new group starts without the position of the old one.
 *
 * Throws `subscriber_invalid` for invalid patterns, schemas or options.
 *
 * @example
 * const receipts = defineSubscriber(
 *   'payment.processed',
 *   z.object({ payment_id: z.string(), amount: z.number() }),
 *   async ({ payload, eventId }) => mail(`paid: ${payload.amount}`, eventId),
 *   { name: 'receipts' },
 * );
 *
 * declare function mail(text: string, idempotencyKey: string): Promise<void>;
 */
export function defineSubscriber<Schema extends StandardSchemaV1>(
  pattern: string | readonly string[],
  schema: Schema,
  fn: (event: DomainEvent<StandardSchemaV1.InferOutput<Schema>>, delivery: EventDelivery) => unknown,
  options: DefineSubscriberOptions = {},
): SubscriberClass {
  const { name = fn.name || String(pattern), ...delivery } = Object(options) as DefineSubscriberOptions;
  const patterns = typeof pattern === 'string' ? [pattern] : [...pattern];
  // These checks are for JavaScript, so that errors are reported where the subscriber is defined.
  const demand = (holds: boolean, what: string) => {
    if (!holds) throw refusal(String(name), what);
  };
  demand(typeof name === 'string' && name.trim() !== '', 'its name must be a non-empty string');
  demand(patterns.length > 0, 'it needs a pattern; use `*` for all events');
  demand(isStandardSchema(schema), 'the second argument must be a schema (zod, valibot, arktype …) of the payload');
  demand(typeof fn === 'function', `the third argument must be its function, not ${typeof fn}`);
  demand(typeof options === 'object' && options !== null, 'the fourth argument must be an options object');
  checkPatterns(name, patterns);
  checkDelivery(name, delivery, ['name']);

  class DefinedSubscriber extends BaseSubscriber {
    static override readonly subscriberName = name;
    static override readonly delivery = delivery;

    static override subscribesTo(): string[] {
      return [...patterns];
    }

    override async handle(event: DomainEvent, about: EventDelivery): Promise<SubscriberResult> {
      let payload: unknown;
      await checked(event.payload, schema, `payload of ${event.eventName}`, (value) => {
        payload = value;
        return undefined;
      });
      return resultOfHandling(
        await fn({ ...event, payload } as DomainEvent<StandardSchemaV1.InferOutput<Schema>>, about),
      );
    }
  }
  Object.defineProperty(DefinedSubscriber, 'name', { value: name });
  return DefinedSubscriber;
}
