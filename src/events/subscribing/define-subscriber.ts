import type { StandardSchemaV1 } from '@standard-schema/spec';
import { checked, isStandardSchema } from '../../handlers/argument-readers.ts';
import { BaseSubscriber, type SubscriberClass } from './base-subscriber.ts';
import { checkDelivery, checkPatterns, refusal } from './check-subscriber.ts';
import type { DomainEvent } from './domain-event.ts';
import type { EventDelivery, SubscriberDelivery } from './subscriber.ts';
import { resultOfHandling, type SubscriberResult } from './subscriber-result.ts';

/** Options of {@link defineSubscriber}. */
export interface DefineSubscriberOptions extends SubscriberDelivery {
  /** The subscriber's name, which is its group's: give one. Default: the function's name, else the patterns. */
  name?: string;
}

/**
 * A subscriber from a function. What it returns may be a `SubscriberResult`, or anything else. The event's payload is what
 * the schema makes of it, and has its type; one that the schema refuses is given up at once, with an error that names the
 * path, since it will not be another the next time. Give it a name: its group is called so, and a group that is called
 * otherwise begins anew.
 *
 * Throws `subscriber_invalid` when patterns, schema or options make no sense.
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
  // What the types cannot keep JavaScript from doing, said where the subscriber is defined.
  const demand = (holds: boolean, what: string) => {
    if (!holds) throw refusal(String(name), what);
  };
  demand(typeof name === 'string' && name.trim() !== '', 'its name must be a text that is not empty');
  demand(patterns.length > 0, 'it needs a pattern; `*` is all events');
  demand(isStandardSchema(schema), 'the second argument must be a schema (zod, valibot, arktype …) of the payload');
  demand(typeof fn === 'function', `the third argument must be its function, not ${typeof fn}`);
  demand(typeof options === 'object' && options !== null, 'the fourth argument must be an object of options');
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
