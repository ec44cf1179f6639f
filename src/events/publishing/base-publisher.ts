import { type Logger, silentLogger } from '../../logging/logger.ts';
import { type HookAnswer, inOrder, type NowOrLater } from '../delivery/in-order.ts';
import { readFromClass } from '../from-class.ts';
import type { DomainEvent } from '../subscribing/domain-event.ts';
import type { EventDeclaration } from './event-declaration.ts';
import { type PublishContext, publishByHand } from './publish-by-hand.ts';
import { PUBLISHER, type Publisher } from './publisher.ts';
import type { StepEventContext, StepResult } from './step-event-context.ts';

type Fields = Record<string, unknown>;

/**
 * Base class of publishers, which create the domain events of steps. A publisher creates the events that name it
 * (`publisher:` in the template). It also creates events without a publisher, of the steps in `publishesFor`.
 *
 * All hooks are optional and may be asynchronous. The hooks before the commit (`shouldPublish`, `transformPayload`,
 * `additionalMetadata`, `beforePublish`) have five seconds in total. If one of them fails, the event is not published, but
 * the step keeps its result.
 *
 * `beforePublish`, `afterPublish` and `onPublishError` get the context of the step, as declared here, or their arguments by
 * position: `(eventName, payload, metadata)` and `(eventName, error, payload)`. `static hookArguments` selects the form.
 *
 * @example
 * class PaymentEvents extends BasePublisher {
 *   static override publisherName = 'payment_events';
 *
 *   override publishesFor() {
 *     return ['process_payment', 'refund_payment'];
 *   }
 *
 *   override async transformPayload(ctx: StepEventContext) {
 *     return { payment_id: ctx.result.payment_id, amount: ctx.result.amount };
 *   }
 *
 *   override async afterPublish(ctx: StepEventContext, event: DomainEvent) {
 *     this.logger.info({ event: event.eventId }, `published for ${ctx.stepName}`);
 *   }
 * }
 */
export abstract class BasePublisher implements Publisher {
  static {
    Object.defineProperty(BasePublisher.prototype, PUBLISHER, { value: true });
    readFromClass(BasePublisher.prototype, 'publisherName', ({ name }) => name);
  }

  /** The name for `publisher:` in templates. It can also be an instance field. Default: the name of the class. */
  static readonly publisherName: string = '';

  /**
   * The way in which `beforePublish`, `afterPublish` and `onPublishError` are called: `context` with the context of the
   * step, `positional` with the event's name, payload and metadata. Default: `context` in a class that overrides
   * `publishesFor`, otherwise `positional`.
   *
   * @example
   * class ReceiptEvents extends BasePublisher {
   *   static override readonly hookArguments = 'context';
   *
   *   override afterPublish(ctx: StepEventContext, event: DomainEvent) {
   *     this.logger.info({ event: event.eventId }, `published for ${ctx.stepName}`);
   *   }
   * }
   */
  static readonly hookArguments: 'context' | 'positional' | undefined;

  /** The name of the class, unless the instance has its own. */
  declare readonly publisherName: string;

  /**
   * The logger of the publisher. It writes nothing until the publisher is registered with a registry that has a logger.
   */
  protected logger: Logger = silentLogger;

  /** Returns the steps whose events this publisher creates, if the events name no publisher. Default: none. */
  publishesFor(): string[] {
    return [];
  }

  /** Returns the event's payload. Default: the step's result. */
  transformPayload(
    ctx: StepEventContext | StepResult,
    _declaration?: EventDeclaration,
    _ctx?: StepEventContext,
  ): NowOrLater<object> {
    return ctx.result ?? {};
  }

  /** Returns false to skip the event. Called before the other hooks. */
  shouldPublish(
    _ctx: StepEventContext | StepResult,
    _declaration?: EventDeclaration,
    _stepContext?: StepEventContext,
  ): NowOrLater<boolean> {
    return true;
  }

  /** Returns additional `metadata` for the event. The metadata cannot replace ids, names and times. */
  additionalMetadata(
    _ctx: StepEventContext | StepResult,
    _declaration?: EventDeclaration,
    _stepContext?: StepEventContext,
  ): NowOrLater<object> {
    return {};
  }

  /** Called last before the event is recorded with the result. Returns `false` to skip the event. */
  beforePublish(_ctx: StepEventContext | string, _payload?: Fields, _metadata?: Fields): HookAnswer<boolean> {}

  /** Called after the event is committed. */
  afterPublish(
    _ctx: StepEventContext | string,
    _event?: DomainEvent | Fields,
    _metadata?: Fields,
  ): HookAnswer<boolean> {}

  /** Called once if an event could not be published: a hook failed or timed out, or the payload violates the schema. */
  onPublishError(_ctx: StepEventContext | string, _error: Error, _payload?: Fields): HookAnswer<boolean> {}

  /**
   * Runs the hooks for one event and returns whether it would be published. Use this method to test a publisher,
   * because it publishes nothing. Returns a promise if one of the hooks does.
   *
   * @example
   * const ok = await new PaymentEvents().publish({ eventName: 'payment.done', stepResult: { success: true, result: {} } });
   */
  publish(ctx: PublishContext): NowOrLater<boolean> {
    return inOrder(publishByHand(this, ctx));
  }

  /** Sets the logger of a publisher that has none. @internal */
  static useLogger(publisher: BasePublisher, logger: Logger): void {
    if (publisher.logger === silentLogger) publisher.logger = logger;
  }
}

/** A publisher class with a constructor without arguments. */
export interface PublisherClass {
  new (): BasePublisher;
  readonly publisherName?: string;
}

/** Returns whether a value is a {@link BasePublisher}, from this or another copy of the package. */
export function isPublisher(value: unknown): value is BasePublisher {
  return typeof value === 'object' && value !== null && PUBLISHER in value;
}

/** Returns whether a value is a publisher class other than {@link BasePublisher} itself. */
export function isPublisherClass(value: unknown): value is PublisherClass {
  if (typeof value !== 'function') return false;
  const prototype: unknown = value.prototype;
  if (typeof prototype !== 'object' || prototype === null) return false;
  return PUBLISHER in prototype && !Object.hasOwn(prototype, PUBLISHER);
}
