import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import { StepContext } from '../../handlers/step-context.ts';
import type { StepHandlerResult } from '../../handlers/step-handler-result.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import { type Handout, handoutOf } from '../handout.ts';
import type { HeldStep } from '../held-step.ts';
import { StepRunner } from '../step-runner.ts';
import type { OfferedStep, TakenStepEvents } from './taken-steps.ts';

/** How a subscriber takes steps. */
export interface OwnStepsOptions {
  registry: HandlerRegistry;
  /** Undefined: the worker's. */
  workerId: string | undefined;
  /** For steps without `timeout_seconds`; undefined: what the worker has for them. */
  timeoutMs: number | undefined;
}

/** A step from the channel of this process' worker. */
class OwnStep implements OfferedStep {
  readonly handout: Handout;
  readonly #steps: OwnSteps;

  constructor(steps: OwnSteps, handout: Handout) {
    this.#steps = steps;
    this.handout = handout;
  }

  get event(): FfiStepEvent {
    return this.handout.event;
  }

  get handlerName(): string {
    return this.handout.step.handlerName;
  }

  get open(): boolean {
    return this.handout.state === 'read' && !this.handout.step.over && handoutOf(this.handout.eventId) !== undefined;
  }

  take(): boolean {
    return this.#steps.take(this);
  }

  run(): void {
    this.#steps.run(this);
  }

  giveBack(): void {
    // Who has not taken it can't give it back: another subscriber may have.
    if (this.handout.state === 'read') this.handout.channel.giveBack(this.handout);
  }

  abort(reason: string): void {
    if (!this.handout.step.over) this.handout.step.warn(reason);
  }
}

/**
 * Steps of this process' worker: their handlers are found and called as the worker itself does it, with the same
 * context, and what they come to goes the same way.
 */
export class OwnSteps {
  readonly #options: OwnStepsOptions;
  readonly #events: TakenStepEvents<OfferedStep>;
  readonly #taken = new Map<HeldStep, OwnStep>();
  readonly #runner: StepRunner<HeldStep>;

  constructor(options: OwnStepsOptions, events: TakenStepEvents<OfferedStep>) {
    this.#options = options;
    this.#events = events;
    this.#runner = new StepRunner<HeldStep>(options.registry, {
      starts: () => undefined,
      contextOf: (step) => new StepContext(step),
      isolated: (step, handler) => step.handout?.channel.isolated(step, handler) ?? handler,
      within: (step, call) => (step.handout ? step.handout.channel.within(step, call) : call()),
      calls: (step) => step.handout?.channel.calls(step),
      called: (step, from) => step.handout?.channel.called(step, from),
      settled: (step, result, version) => this.#settled(step, result, version),
      yielded: (step, _handler, result) => this.#yielded(step, result),
      broken: (step, result) => this.#settled(step, result, '1.0.0'),
      unknown: (step) => this.#missing(step),
      unresolved: (step) => this.#missing(step),
    });
  }

  /** The step behind an event; undefined when nobody waits for it. */
  offered(event: FfiStepEvent): OfferedStep | undefined {
    const handout = handoutOf(event.eventId);
    if (!handout) return undefined;
    handout.channel.await(handout);
    return new OwnStep(this, handout);
  }

  take(own: OwnStep): boolean {
    const { registry, workerId: runBy, timeoutMs } = this.#options;
    if (!own.handout.channel.take(own.handout, { registry, runBy, timeoutMs })) return false;
    this.#taken.set(own.handout.step, own);
    own.handout.whenOver = () => this.#over(own);
    return true;
  }

  run({ handout }: OwnStep): void {
    this.#runner.run(handout.step);
  }

  #over(own: OwnStep): void {
    const { name, over } = own.handout.step;
    if (over === 'timeout') {
      const error = new DOMException(`step ${name} took longer than its timeout`, 'TimeoutError');
      this.#events.timedOut(own, error);
    }
  }

  #settled(step: HeldStep, result: StepHandlerResult, version: string): void {
    const own = this.#letGo(step);
    const { handout } = own;
    const sent = handout.channel.complete(handout, result, { version, stopping: this.#events.stopping() });
    this.#events.settled(own, result, sent);
  }

  #yielded(step: HeldStep, result: StepHandlerResult): void {
    const own = this.#letGo(step);
    this.#events.yielded(own, result, own.handout.channel.yield(own.handout, result));
  }

  #missing(step: HeldStep): void {
    const own = this.#letGo(step);
    own.handout.channel.missing(own.handout);
    this.#events.gone(own);
  }

  #letGo(step: HeldStep): OwnStep {
    const own = this.#taken.get(step)!;
    this.#taken.delete(step);
    return own;
  }
}
