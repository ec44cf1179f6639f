import type { StepContext } from './step-context.ts';
import { type FailureArguments, StepHandlerResult } from './step-handler-result.ts';

// `Symbol.for`, so that two copies of the package in one process know each other's handlers.
const BRAND = Symbol.for('tasker-core.step-handler');

/** What a handler's `call` gives: a result, now or later. */
export type HandlerOutcome = StepHandlerResult | Promise<StepHandlerResult>;

/**
 * Where a handler runs. `none`: in the event loop, with all others. `thread`: in a thread of a pool, which is ended when
 * its time is up; the handler must come from a file. See `docs/guide/threads.md`.
 */
export type HandlerIsolation = 'none' | 'thread';

/** What the worker runs: an instance of a handler, whatever it was made by. */
export interface ExecutableHandler {
  readonly name: string;
  readonly version: string;
  readonly capabilities: string[];
  call(context: StepContext): HandlerOutcome;
  /** A JSON Schema of the handler's `initialization`, or null. */
  configSchema(): Record<string, unknown> | null;
}

/** A class of handlers: what `HandlerRegistry.register` takes and `defineHandler` gives. */
export interface StepHandlerClass {
  new (): ExecutableHandler;
  /** The name that a template's `handler.callable` says. */
  readonly handlerName: string;
  /** Default '1.0.0'; stored with each result. */
  readonly handlerVersion?: string;
  /** Where its steps run, unless their template says. Default `none`: in the event loop. */
  readonly isolation?: HandlerIsolation;
}

/**
 * The base of every handler. `Context` may declare what a handler reads: see `TypedStepContext`. The worker makes a fresh instance for each step, so fields are never shared by two.
 *
 * @example
 * class ProcessOrder extends StepHandler {
 *   static override handlerName = 'process_order';
 *
 *   async call(context: StepContext) {
 *     const order = await loadOrder(context.getInput('order_id'));
 *     if (!order) return this.failure('no such order', { errorType: 'validation_error', retryable: false });
 *     return this.success({ total: order.total });
 *   }
 * }
 */
export abstract class StepHandler<Context extends StepContext = StepContext> implements ExecutableHandler {
  static {
    Object.defineProperty(StepHandler.prototype, BRAND, { value: true });
  }

  /** The name that a template's `handler.callable` says. */
  static readonly handlerName: string = '';
  /** Stored with each result as `metadata.handler_version`. */
  static readonly handlerVersion: string = '1.0.0';
  /** Where its steps run, unless their template's `handler.isolation` says. */
  static readonly isolation: HandlerIsolation = 'none';

  /** Does the step's work. What it throws becomes a failure: retryable, unless the error says `retryable: false`. */
  abstract call(context: Context): HandlerOutcome;

  /** The handler's name; of a class without one, the name of the class. */
  get name(): string {
    const { handlerName, name } = this.constructor as typeof StepHandler;
    return handlerName || name;
  }

  get version(): string {
    return (this.constructor as typeof StepHandler).handlerVersion;
  }

  /** What kinds of work it does. */
  get capabilities(): string[] {
    return ['process'];
  }

  /** A JSON Schema of the handler's `initialization`; null: anything. */
  configSchema(): Record<string, unknown> | null {
    return null;
  }

  /**
   * A success: `success(result, metadata)` or `success({ result, metadata })`. Dependents and REST see `result`.
   * `metadata` is stored beside it. An object whose only keys are `result` and `metadata` is always the second form.
   */
  protected success(result: object = {}, metadata?: Record<string, unknown>): StepHandlerResult {
    return StepHandlerResult.success(result, metadata);
  }

  /** A failure: `failure({ message, … })`, `failure(message, { … })` or all by position. Retryable unless it says not. */
  protected failure(...args: FailureArguments): StepHandlerResult {
    return StepHandlerResult.failure(...args);
  }

  toString(): string {
    return `${this.constructor.name}(name=${this.name}, version=${this.version})`;
  }
}

/**
 * Whether a value is a class of handlers: it extends {@link StepHandler} (of any copy of the package),
 * or its instances have a `call` method.
 *
 * @example
 * isHandlerClass(ProcessOrder); // true
 * isHandlerClass(async () => {}); // false
 */
export function isHandlerClass(value: unknown): value is StepHandlerClass {
  const prototype = prototypeOf(value);
  if (!prototype) return false;
  // The abstract base itself is the one that owns the brand. A subclass may have `call` as a field, so it need not be here.
  if (BRAND in prototype) return !Object.hasOwn(prototype, BRAND);
  return 'call' in prototype && typeof prototype.call === 'function';
}

/**
 * Whether a value is a handler that can be run: an object with a `call` method.
 *
 * @example
 * isExecutableHandler(new ProcessOrder()); // true
 */
export function isExecutableHandler(value: unknown): value is ExecutableHandler {
  return typeof value === 'object' && value !== null && 'call' in value && typeof value.call === 'function';
}

/**
 * Whether a value is an instance of {@link StepHandler}, of this copy of the package or of another.
 *
 * @example
 * isStepHandler(new ProcessOrder()); // true
 */
export function isStepHandler(value: unknown): value is StepHandler {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/**
 * Whether a class is {@link StepHandler} or extends it, of this copy of the package or of another.
 *
 * @example
 * extendsStepHandler(ProcessOrder); // true
 * extendsStepHandler(DecisionMixin); // false
 */
export function extendsStepHandler(value: unknown): boolean {
  const prototype = prototypeOf(value);
  return prototype !== null && BRAND in prototype;
}

/** The prototype of what a class makes; null for what cannot be a class. */
export function prototypeOf(value: unknown): object | null {
  const prototype: unknown = typeof value === 'function' ? value.prototype : null;
  return typeof prototype === 'object' ? prototype : null;
}
