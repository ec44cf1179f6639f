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
 * Makes the domain events of steps. It is asked for the events that name it (`publisher:` in the template), and for those
 * that name none of the steps in `publishesFor`. Its hooks may be synchronous or not, and all are optional; those before
 * the commit (`shouldPublish`, `transformPayload`, `additionalMetadata`, `beforePublish`) have five seconds together, and
 * whatever goes wrong in one costs the event, never the step its result.
 *
 * `beforePublish`, `afterPublish` and `onPublishError` get the context of the step, as declared here, or their arguments by
 * position: `(eventName, payload, metadata)`, `(eventName, error, payload)`. `static hookArguments` says which.
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

  /** The name that a template's `publisher:` says; a field of the instance does as well. Default: the class's name. */
  static readonly publisherName: string = '';

  /**
   * How `beforePublish`, `afterPublish` and `onPublishError` are called: `context` with the context of the step,
   * `positional` with the event's name, payload and metadata. Default: `context` in a class with a `publishesFor` of its
   * own, else `positional`.
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

  /** As the class says, unless the instance has one of its own. */
  declare readonly publisherName: string;

  /** Writes nowhere until the publisher is registered where something is logged. */
  protected logger: Logger = silentLogger;

  /** The steps whose declared events it makes when they name no publisher. Default: none. */
  publishesFor(): string[] {
    return [];
  }

  /** The event's payload. Default: the step's result. */
  transformPayload(
    ctx: StepEventContext | StepResult,
    _declaration?: EventDeclaration,
    _ctx?: StepEventContext,
  ): NowOrLater<object> {
    return ctx.result ?? {};
  }

  /** False: there is no event this time. It is asked first. */
  shouldPublish(
    _ctx: StepEventContext | StepResult,
    _declaration?: EventDeclaration,
    _stepContext?: StepEventContext,
  ): NowOrLater<boolean> {
    return true;
  }

  /** What the event's `metadata` has besides ids, names and times, which it can't replace. */
  additionalMetadata(
    _ctx: StepEventContext | StepResult,
    _declaration?: EventDeclaration,
    _stepContext?: StepEventContext,
  ): NowOrLater<object> {
    return {};
  }

  /** The last word before the event is recorded with the result; `false` calls it off. */
  beforePublish(_ctx: StepEventContext | string, _payload?: Fields, _metadata?: Fields): HookAnswer<boolean> {}

  /** After the commit: the event is there. */
  afterPublish(
    _ctx: StepEventContext | string,
    _event?: DomainEvent | Fields,
    _metadata?: Fields,
  ): HookAnswer<boolean> {}

  /** Once, when an event could not be made or published: a hook threw or took too long, or the schema refuses the payload. */
  onPublishError(_ctx: StepEventContext | string, _error: Error, _payload?: Fields): HookAnswer<boolean> {}

  /**
   * Runs the hooks for one event and says whether it would be published. It sends nothing: that is the worker's business;
   * a test of a publisher is what this is for. A promise, as soon as one of the hooks gives one.
   *
   * @example
   * const ok = await new PaymentEvents().publish({ eventName: 'payment.done', stepResult: { success: true, result: {} } });
   */
  publish(ctx: PublishContext): NowOrLater<boolean> {
    return inOrder(publishByHand(this, ctx));
  }

  /** Gives a publisher that has none a logger. @internal */
  static useLogger(publisher: BasePublisher, logger: Logger): void {
    if (publisher.logger === silentLogger) publisher.logger = logger;
  }
}

/** A class of publishers that can be made without arguments. */
export interface PublisherClass {
  new (): BasePublisher;
  readonly publisherName?: string;
}

/** Whether a value is a {@link BasePublisher}, of this copy of the package or of another. */
export function isPublisher(value: unknown): value is BasePublisher {
  return typeof value === 'object' && value !== null && PUBLISHER in value;
}

/** Whether a value is a class of publishers, and not {@link BasePublisher} itself. */
export function isPublisherClass(value: unknown): value is PublisherClass {
  if (typeof value !== 'function') return false;
  const prototype: unknown = value.prototype;
  if (typeof prototype !== 'object' || prototype === null) return false;
  return PUBLISHER in prototype && !Object.hasOwn(prototype, PUBLISHER);
}
