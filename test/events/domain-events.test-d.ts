import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import {
  BasePublisher,
  BaseSubscriber,
  createDomainEvent,
  type DomainEvent,
  defineSubscriber,
  type EventDeclaration,
  type InProcessDomainEvent,
  PublisherRegistry,
  type StepEventContext,
  type StepResult,
  SubscriberRegistry,
  SubscriberResult,
} from '../../src/index.ts';

type Fields = Record<string, unknown>;

test('the publisher in the guide compiles', () => {
  class PaymentEventPublisher extends BasePublisher {
    static override publisherName = 'payment_events';
    override publishesFor(): string[] {
      return ['process_payment'];
    }
    override async transformPayload(ctx: StepEventContext): Promise<Fields> {
      return { payment_id: ctx.result.payment_id };
    }
    override async beforePublish(ctx: StepEventContext): Promise<void> {
      expectTypeOf(ctx.stepName).toBeString();
    }
    override async afterPublish(ctx: StepEventContext, event: DomainEvent): Promise<void> {
      expectTypeOf(ctx.success).toBeBoolean();
      expectTypeOf(event.eventName).toBeString();
    }
    override async onPublishError(_ctx: StepEventContext, error: Error): Promise<void> {
      expectTypeOf(error).toEqualTypeOf<Error>();
    }
    override async additionalMetadata(_ctx: StepEventContext): Promise<Fields> {
      return { payment_processor: 'stripe' };
    }
  }
  PublisherRegistry.instance().register(PaymentEventPublisher);
  PublisherRegistry.instance.register(new PaymentEventPublisher());
  expectTypeOf(PublisherRegistry.instance().getForStep('x')).toEqualTypeOf<BasePublisher | undefined>();
});

test('a publisher of the other SDK compiles', () => {
  class Positional extends BasePublisher {
    override readonly publisherName = 'positional';
    override transformPayload(stepResult: StepResult, decl?: EventDeclaration, stepCtx?: StepEventContext): Fields {
      return { amount: stepResult.result?.amount, event: decl?.name, step: stepCtx?.stepName };
    }
    override shouldPublish(stepResult: StepResult): boolean {
      return stepResult.success;
    }
    override additionalMetadata(): Fields {
      return {};
    }
    override beforePublish(eventName: string, payload: Fields, metadata: Fields): boolean {
      return eventName !== '' && payload !== metadata;
    }
    override afterPublish(_eventName: string, _payload: Fields, _metadata: Fields): void {}
    override onPublishError(_eventName: string, _error: Error, _payload: Fields): void {}
  }
  PublisherRegistry.instance.register(new Positional());
});

test('a publisher that declares its hook arguments compiles', () => {
  class Stated extends BasePublisher {
    static override readonly hookArguments = 'context';
    override afterPublish(ctx: StepEventContext, event: DomainEvent): void {
      expectTypeOf(ctx.stepName).toBeString();
      expectTypeOf(event.eventName).toBeString();
    }
  }
  PublisherRegistry.instance.register(Stated);
});

test('a payload can have a custom type', () => {
  interface Paid {
    amount: number;
  }
  class Typed extends BasePublisher {
    override transformPayload(ctx: StepEventContext): Paid {
      return { amount: Number(ctx.result.amount) };
    }
  }
  class Reader extends BaseSubscriber<Paid> {
    handle({ payload }: DomainEvent<Paid>) {
      expectTypeOf(payload.amount).toBeNumber();
    }
  }
  PublisherRegistry.instance.register(Typed);
  SubscriberRegistry.instance.register(Reader);
  SubscriberRegistry.instance.registerInstance(new Reader());
});

test('the subscribers of the guide and of the other SDK compile', () => {
  class AuditLoggingSubscriber extends BaseSubscriber {
    static override subscriberName = 'audit_logger';
    override subscribesTo(): string[] {
      return ['payment.*'];
    }
    async handle(event: InProcessDomainEvent): Promise<SubscriberResult> {
      expectTypeOf(event).toEqualTypeOf<DomainEvent>();
      return SubscriberResult({ success: true });
    }
    override async beforeHandle(_event: InProcessDomainEvent): Promise<void> {}
    override async afterHandle(_event: InProcessDomainEvent, result: SubscriberResult): Promise<void> {
      expectTypeOf(result.success).toBeBoolean();
    }
    override async onHandleError(_event: InProcessDomainEvent, _error: Error): Promise<void> {}
  }
  class Metrics extends BaseSubscriber {
    static override subscribesTo(): string[] {
      return ['*'];
    }
    handle(event: DomainEvent): void {
      this.logger.info({ event: event.eventId }, event.eventName);
    }
    override beforeHandle(event: DomainEvent): boolean {
      return event.executionResult.success;
    }
    override afterHandle(_event: DomainEvent): void {}
  }
  SubscriberRegistry.instance().register(AuditLoggingSubscriber);
  SubscriberRegistry.instance.register(Metrics);
  SubscriberRegistry.instance.startAll();
});

test('a defined subscriber infers its payload from the schema', () => {
  const schema = z.object({ at: z.string().transform((text) => new Date(text)), total: z.number() });
  const Defined = defineSubscriber('order.*', schema, async ({ payload, metadata }, { signal }) => {
    expectTypeOf(payload).toEqualTypeOf<{ at: Date; total: number }>();
    expectTypeOf(metadata.taskUuid).toBeString();
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    // @ts-expect-error the property is named total
    return payload.totl;
  });
  SubscriberRegistry.instance.register(Defined);
});

test('an event created by hand has the type of its payload', () => {
  const event = createDomainEvent({
    eventId: 'e',
    eventName: 'a.b',
    payload: { amount: 1 },
    metadata: {},
    executionResult: { success: true },
  });
  expectTypeOf(event.payload.amount).toBeNumber();
});
