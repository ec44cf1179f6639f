import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import { StepContext } from '../../handlers/step-context.ts';
import type { ExecutableHandler, StepHandlerResult } from '../../handlers/step-handler.ts';

import type { HandlerDefinition } from '../../registry/handler-definition.ts';
import { type Delivery, deliveryOf, type Settling, type Taking } from '../delivery.ts';
import type { ReceivedStep } from './received-step.ts';

/** A step of this process' worker. Its handler has the same context, and its outcome the same way, as without events. */
export class OwnStep implements ReceivedStep {
  readonly #delivery: Delivery;
  readonly #taking: Taking;

  constructor(delivery: Delivery, taking: Taking) {
    this.#delivery = delivery;
    this.#taking = taking;
  }

  /** The step behind an event; undefined when it is no longer wanted. */
  static of(event: FfiStepEvent, taking: Taking): OwnStep | undefined {
    const delivery = deliveryOf(event.eventId);
    if (!delivery) return undefined;
    delivery.channel.await(delivery);
    return new OwnStep(delivery, taking);
  }

  get event(): FfiStepEvent {
    return this.#delivery.event;
  }

  get handler(): HandlerDefinition {
    return this.#delivery.step.handler;
  }

  get handlerName(): string {
    return this.#delivery.step.handlerName;
  }

  get over(): string | undefined {
    return this.#delivery.step.over;
  }

  get open(): boolean {
    return this.#delivery.state === 'read' && !this.over && deliveryOf(this.#delivery.eventId) !== undefined;
  }

  take(timedOut: (error: Error) => void): boolean {
    const { channel, step } = this.#delivery;
    if (!channel.take(this.#delivery, this.#taking)) return false;
    this.#delivery.whenOver = () => {
      if (step.over !== 'timeout') return;
      timedOut(new DOMException(`step ${step.name} took longer than its timeout`, 'TimeoutError'));
    };
    return true;
  }

  starts(): void {
    // Its time runs since it was read.
  }

  context(): StepContext {
    return new StepContext(this.#delivery.step);
  }

  isolated(handler: ExecutableHandler): ExecutableHandler {
    return this.#delivery.step.isolated(handler);
  }

  calls(): void {
    this.#delivery.step.calls();
  }

  called(from: number): void {
    this.#delivery.step.called(from);
  }

  get within(): ((call: () => unknown) => unknown) | undefined {
    return this.#delivery.step.within;
  }

  complete(result: StepHandlerResult, how: Settling): Promise<boolean> {
    return this.#delivery.channel.complete(this.#delivery, result, how);
  }

  yield(result: StepHandlerResult): Promise<boolean> {
    return this.#delivery.channel.yield(this.#delivery, result);
  }

  /** The worker decides: another one may have the handler. */
  missing(): undefined {
    this.#delivery.channel.missing(this.#delivery);
  }

  giveBack(): void {
    // Only if no other subscriber has taken it.
    if (this.#delivery.state === 'read') this.#delivery.channel.giveBack(this.#delivery);
  }

  abort(reason: string): void {
    if (!this.over) this.#delivery.step.warn(reason);
  }
}
