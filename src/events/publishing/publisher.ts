import type { HookAnswer, NowOrLater } from '../delivery/in-order.ts';
import type { DomainEvent } from '../subscribing/domain-event.ts';
import type { EventDeclaration } from './event-declaration.ts';
import type { StepEventContext, StepResult } from './step-event-context.ts';

type Fields = Record<string, unknown>;

/** The arguments of the hooks before the commit. The context is passed twice, for both forms of publishers. */
type Given = [ctx: StepEventContext | StepResult, declaration?: EventDeclaration, stepContext?: StepEventContext];

/** Creates the domain events of steps. Users extend `BasePublisher`, which documents each member. */
export interface Publisher {
  readonly publisherName: string;
  publishesFor(): string[];
  shouldPublish(...given: Given): NowOrLater<boolean>;
  transformPayload(...given: Given): NowOrLater<object>;
  additionalMetadata(...given: Given): NowOrLater<object>;
  beforePublish(ctx: StepEventContext | string, payload?: Fields, metadata?: Fields): HookAnswer<boolean>;
  afterPublish(ctx: StepEventContext | string, event?: DomainEvent | Fields, metadata?: Fields): HookAnswer<boolean>;
  onPublishError(ctx: StepEventContext | string, error: Error, payload?: Fields): HookAnswer<boolean>;
}

/** A publisher that creates an event, with the context for its hooks. */
export interface AskedPublisher {
  readonly publisher: Publisher;
  readonly ctx: StepEventContext;
}

/** Marks publishers. Uses `Symbol.for`, so that two copies of the package recognize each other's publishers. */
export const PUBLISHER = Symbol.for('tasker-core.publisher');
