import { describe, expect, it, vi } from 'vitest';
import { inOrder } from '../../../src/events/delivery/in-order.ts';
import { BasePublisher } from '../../../src/events/publishing/base-publisher.ts';
import { DefaultPublisher } from '../../../src/events/publishing/default-publisher.ts';
import type { EventDeclaration } from '../../../src/events/publishing/event-declaration.ts';
import {
  callAfterPublish,
  callOnPublishError,
  type EventRequest,
  preparation,
} from '../../../src/events/publishing/publisher-hooks.ts';
import { PublisherRegistry } from '../../../src/events/publishing/publisher-registry.ts';
import {
  createStepEventContext,
  fromStepContext,
  type StepEventContext,
  type StepResult,
} from '../../../src/events/publishing/step-event-context.ts';
import { createDomainEvent, type DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import { StepContext } from '../../../src/handlers/step-context.ts';

type Fields = Record<string, unknown>;

const result = { payment_id: 'P-1', amount: 12.5, secret: 'x' };
const ctx = createStepEventContext({
  taskUuid: '0199aa00-0000-7000-8000-0000000000a1',
  stepUuid: '0199aa00-0000-7000-8000-0000000000b2',
  stepName: 'process_payment',
  namespace: 'shop',
  correlationId: '0199aa00-0000-7000-8000-0000000000c3',
  eventName: 'payment.processed',
  result,
});
const event = createDomainEvent({
  eventId: '0199aa00-0000-7000-8000-000000000001',
  eventName: 'payment.processed',
  payload: { amount: 12.5 },
  metadata: { stepName: 'process_payment', by: 'hand' },
  executionResult: { success: true, result },
});

/** Prepares an event as the worker does. */
const prepareEvent = (request: Omit<EventRequest, 'check'> & Partial<EventRequest>) =>
  inOrder(preparation({ check: () => {}, ...request }));

/** The publisher in the guide: asynchronous hooks, each with the context. */
class PaymentEventPublisher extends BasePublisher {
  static override publisherName = 'payment_events';
  readonly calls: string[] = [];

  override publishesFor() {
    return ['process_payment', 'refund_payment'];
  }

  override async transformPayload(ctx: StepEventContext) {
    this.calls.push('transform');
    return { payment_id: ctx.result.payment_id, amount: ctx.result.amount };
  }

  override async additionalMetadata(_ctx: StepEventContext) {
    this.calls.push('metadata');
    return { payment_processor: 'stripe', taskUuid: 'stolen', step_uuid: 'stolen' };
  }

  override async beforePublish(ctx: StepEventContext) {
    this.calls.push(`before ${ctx.stepName}`);
  }

  override async afterPublish(ctx: StepEventContext, event: DomainEvent) {
    this.calls.push(`after ${ctx.stepName} ${event.eventName} ${event.metadata.stepName}`);
  }

  override async onPublishError(ctx: StepEventContext, error: Error) {
    this.calls.push(`error ${ctx.stepName} ${error.message}`);
  }
}

/** The same for the other SDK: synchronous hooks with positional arguments. */
class PositionalPublisher extends BasePublisher {
  override readonly publisherName = 'positional';
  readonly calls: unknown[] = [];

  override shouldPublish(stepResult: StepResult): boolean {
    return stepResult.success;
  }

  override transformPayload(stepResult: StepResult, decl?: EventDeclaration, stepCtx?: StepEventContext): Fields {
    return { amount: stepResult.result?.['amount'], event: decl?.name, step: stepCtx?.stepName };
  }

  override additionalMetadata(stepResult: StepResult): Fields {
    return { positive: stepResult.success };
  }

  override beforePublish(eventName: string, payload: Fields, metadata: Fields): boolean {
    this.calls.push(['before', eventName, payload.amount, metadata.positive, metadata.publisher]);
    return true;
  }

  override afterPublish(eventName: string, payload: Fields, metadata: Fields): void {
    this.calls.push(['after', eventName, payload.amount, metadata['stepName']]);
  }

  override onPublishError(eventName: string, error: Error): void {
    this.calls.push(['error', eventName, error.message]);
  }
}

const declaration: EventDeclaration = { name: 'payment.processed', publisher: null, schema: { type: 'object' } };

describe('the publisher in the guide', () => {
  it('is called for payload, metadata and beforePublish, in this order', async () => {
    const publisher = new PaymentEventPublisher();
    const prepared = await prepareEvent({ publisher, ctx, declaration });
    expect(prepared?.payload).toEqual({ payment_id: 'P-1', amount: 12.5 });
    expect(publisher.calls).toEqual(['transform', 'metadata', 'before process_payment']);
    await callAfterPublish({ publisher, ctx }, event);
    await callOnPublishError({ publisher, ctx }, { error: new Error('lost'), payload: {} });
    expect(publisher.calls.slice(3)).toEqual([
      'after process_payment payment.processed process_payment',
      'error process_payment lost',
    ]);
  });

  it('adds metadata, but cannot replace ids', async () => {
    const prepared = await prepareEvent({ publisher: new PaymentEventPublisher(), ctx });
    expect(prepared?.metadata).toEqual({ payment_processor: 'stripe' });
  });

  it('needs only two members and inherits the other hooks', async () => {
    class Small extends BasePublisher {
      static override publisherName = 'small';
      override publishesFor = () => ['process_payment'];
    }
    const small = new Small();
    expect(await prepareEvent({ publisher: small, ctx })).toEqual({ payload: result, metadata: {} });
    await callAfterPublish({ publisher: small, ctx }, event);
    await callOnPublishError({ publisher: small, ctx }, { error: new Error('lost'), payload: {} });
  });

  it('can skip the event before the payload is created with shouldPublish, or afterwards with beforePublish', async () => {
    class Never extends PaymentEventPublisher {
      override shouldPublish = () => false;
    }
    class Late extends PaymentEventPublisher {
      override beforePublish = async () => false as unknown as undefined;
    }
    const [never, late] = [new Never(), new Late()];
    expect(await prepareEvent({ publisher: never, ctx })).toBeUndefined();
    expect(never.calls).toEqual([]);
    expect(await prepareEvent({ publisher: late, ctx })).toBeUndefined();
    expect(late.calls).toEqual(['transform', 'metadata']);
  });

  it('publishes no event if the check rejects its payload', async () => {
    let seen: object | undefined;
    const check = (payload: object) => {
      seen = payload;
      throw new Error('amount: must be positive');
    };
    const publisher = new PaymentEventPublisher();
    const asked = prepareEvent({ publisher, ctx, check });
    await expect(asked).rejects.toThrow('amount: must be positive');
    expect(seen).toEqual({ payment_id: 'P-1', amount: 12.5 });
    expect(publisher.calls).toEqual(['transform']);
  });

  it('reports a hook that does not return an object', () => {
    class Wrong extends BasePublisher {
      static override publisherName = 'wrong';
      override transformPayload = () => 'text' as unknown as object;
    }
    expect(() => prepareEvent({ publisher: new Wrong(), ctx })).toThrow(
      'publisher wrong: transformPayload returned string; return an object',
    );
  });
});

describe('a publisher written for the other SDK', () => {
  it('receives positional arguments in its hooks', () => {
    const publisher = new PositionalPublisher();
    // All hooks are synchronous, so prepareEvent is synchronous, too.
    expect(prepareEvent({ publisher, ctx, declaration })).toEqual({
      payload: { amount: 12.5, event: 'payment.processed', step: 'process_payment' },
      metadata: { positive: true },
    });
    void callAfterPublish({ publisher, ctx }, event);
    void callOnPublishError({ publisher, ctx }, { error: new Error('lost'), payload: {} });
    expect(publisher.calls).toEqual([
      ['before', 'payment.processed', 12.5, true, 'positional'],
      ['after', 'payment.processed', 12.5, 'process_payment'],
      ['error', 'payment.processed', 'lost'],
    ]);
  });

  it('publishes synchronously when it is called by hand', () => {
    const publisher = new PositionalPublisher();
    expect(publisher.publish({ eventName: 'payment.processed', stepResult: { success: true, result } })).toBe(true);
    expect(publisher.publish({ eventName: 'payment.processed', stepResult: { success: false } })).toBe(false);
    expect(publisher.calls.map((line) => (line as unknown[])[0])).toEqual(['before', 'after']);
  });

  it('publishes nothing if it throws, and its onPublishError is called once', () => {
    class Broken extends PositionalPublisher {
      override transformPayload(): never {
        throw new Error('no amount');
      }
    }
    const broken = new Broken();
    expect(broken.publish({ eventName: 'payment.processed', stepResult: { success: true } })).toBe(false);
    expect(broken.calls).toEqual([['error', 'payment.processed', 'no amount']]);
  });
});

describe('the arguments of a hook', () => {
  const failure = { error: new Error('lost'), payload: { amount: 1 } };
  const ofError = (publisher: BasePublisher) => callOnPublishError({ publisher, ctx }, failure);

  class ByContext extends BasePublisher {
    static override readonly hookArguments = 'context';
  }
  const seen = (ctx: StepEventContext, error: Error) => [ctx.stepName, `${String(ctx)}`, error.message];
  const hooks = {
    'a method': {
      onPublishError(ctx: StepEventContext, error: Error) {
        return seen(ctx, error);
      },
    },
    'an asynchronous method': {
      async onPublishError(ctx: StepEventContext, error: Error) {
        return seen(ctx, error);
      },
    },
    'a minified arrow function': { onPublishError: (a: StepEventContext, b: Error) => seen(a, b) },
    'a method that takes the context apart': {
      onPublishError: ({ stepName, eventName }: StepEventContext, error: Error) => [stepName, eventName, error.message],
    },
  };

  it.each(Object.entries(hooks))('are the context if the class declares it: %s', async (_, { onPublishError }) => {
    class Stated extends ByContext {
      override onPublishError = onPublishError as never;
    }
    expect(await ofError(new Stated())).toEqual(['process_payment', 'payment.processed', 'lost']);
  });

  const byPosition = {
    'three parameters': (a: unknown, b: unknown, c: unknown) => [a, b, c],
    'two parameters': async (name: unknown, error: unknown) => [name, error, { amount: 1 }],
    'any number of parameters': (...given: unknown[]) => given,
    'a first parameter that is called ctx': (ctx: unknown, error: unknown) => [ctx, error, { amount: 1 }],
  };

  it.each(Object.entries(byPosition))('are positional by default: a hook with %s', async (_, hook) => {
    class Plain extends BasePublisher {
      override onPublishError = hook as never;
    }
    expect(await ofError(new Plain())).toEqual(['payment.processed', new Error('lost'), { amount: 1 }]);
  });

  it('are positional for a hook that is a mock function', async () => {
    const hook = vi.fn();
    class Plain extends BasePublisher {
      override onPublishError = hook;
    }
    await ofError(new Plain());
    expect(hook).toHaveBeenCalledExactlyOnceWith('payment.processed', new Error('lost'), { amount: 1 });
  });

  class Ours extends BasePublisher {
    override publishesFor() {
      return [];
    }
    override onPublishError = (first: unknown) => first as never;
  }

  it('are the context in a class that overrides publishesFor', () => {
    expect(ofError(new Ours())).toBe(ctx);
  });

  it('are positional in a class that overrides publishesFor and declares positional arguments', () => {
    class Stated extends Ours {
      static override readonly hookArguments = 'positional';
    }
    expect(ofError(new Stated())).toBe('payment.processed');
  });

  it('are validated when the publisher is registered', () => {
    class Wrong extends BasePublisher {
      static override readonly hookArguments = 'ctx' as 'context';
    }
    expect(() => new PublisherRegistry().register(Wrong)).toThrow(
      'publisher Wrong: hookArguments must be context or positional, got "ctx"',
    );
  });
});

describe('the name of a publisher', () => {
  it('can be set by the class, the instance or a getter, and is the name of the class by default', () => {
    class ByField extends BasePublisher {
      override readonly publisherName: string;
      constructor(name: string) {
        super();
        this.publisherName = name;
      }
    }
    class Nameless extends BasePublisher {}
    class ByGetter extends (BasePublisher as unknown as new () => { publisherName: string }) {
      // @ts-expect-error the compiler requires a field, but JavaScript does not
      override get publisherName() {
        return 'getter';
      }
    }
    expect(new PaymentEventPublisher().publisherName).toBe('payment_events');
    expect(new ByField('field').publisherName).toBe('field');
    expect(new Nameless().publisherName).toBe('Nameless');
    expect(new ByGetter().publisherName).toBe('getter');
    expect(new DefaultPublisher().publisherName).toBe('default');
  });
});

describe('the context of a publisher', () => {
  it('has default values for the namespace and the correlation id, and no result if there is none', async () => {
    const small = createStepEventContext({ taskUuid: 't', stepUuid: 's', stepName: 'a' });
    expect({ ...small }).toEqual({
      ...{ taskUuid: 't', stepUuid: 's', stepName: 'a', namespace: 'default', correlationId: 't', eventName: '' },
      ...{ success: true, result: undefined, metadata: {} },
    });
    expect(small.result).toBeUndefined();
    expect(new DefaultPublisher().transformPayload(small)).toEqual({});
    expect(createStepEventContext({ taskUuid: 't', stepUuid: 's', stepName: 'a', result: {} }).result).toEqual({});
  });

  it('can be created from the context of a handler', () => {
    const context = new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'charge', correlationId: 'c' });
    const made = fromStepContext(context, { result: { success: false, metadata: { error_type: 'x' } } });
    expect(made).toMatchObject({
      stepName: 'charge',
      correlationId: 'c',
      success: false,
      metadata: { error_type: 'x' },
    });
  });
});
