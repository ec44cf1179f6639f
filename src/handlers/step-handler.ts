import { AsyncLocalStorage } from 'node:async_hooks';
import { type Fields, isFields } from '../model/fields.ts';
import { argumentsOf } from './argument-forms.ts';
import { ErrorType, type StepExecutionErrorOptions } from './failures/handler-errors.ts';
import { misuse, shown } from './misuse.ts';
import {
  type OrchestrationMetadata,
  retryAfterIn,
  type StoredOrchestrationMetadata,
  storedOrchestrationMetadata,
} from './orchestration-metadata.ts';
import { type RetryAfter, retryAfterHeader } from './retry-after.ts';
import type { StepContext } from './step-context.ts';

// `Symbol.for`, so that two copies of the package in one process know each other's handlers.
const HANDLER_BRAND = Symbol.for('tasker-core.step-handler');

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
    Object.defineProperty(StepHandler.prototype, HANDLER_BRAND, { value: true });
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
  if (HANDLER_BRAND in prototype) return !Object.hasOwn(prototype, HANDLER_BRAND);
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
  return typeof value === 'object' && value !== null && HANDLER_BRAND in value;
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
  return prototype !== null && HANDLER_BRAND in prototype;
}

/** The prototype of what a class makes; null for what cannot be a class. */
export function prototypeOf(value: unknown): object | null {
  const prototype: unknown = typeof value === 'function' ? value.prototype : null;
  return typeof prototype === 'object' ? prototype : null;
}

// `Symbol.for`, so that two copies of the package in one process know each other's results.
const RESULT_BRAND = Symbol.for('tasker-core.step-handler-result');

/** What a {@link StepHandlerResult} is made of. */
export interface StepHandlerResultParams {
  success: boolean;
  result?: object | null;
  errorMessage?: string | null;
  errorType?: string | null;
  errorCode?: string | null;
  /** Whether another attempt may help; default true. */
  retryable?: boolean;
  /** Stored with the result, under `metadata.custom`. */
  metadata?: Fields;
  orchestrationMetadata?: OrchestrationMetadata | null;
  /** When the next attempt may start; wins over the template's backoff. */
  retryAfter?: RetryAfter | null;
  /** Where it failed, a line an entry. */
  backtrace?: readonly string[];
  /** The HTTP status behind a failure. */
  statusCode?: number | null;
}

/** A failure, besides its message. Its type is `handler_error` unless given. */
export interface FailureOptions extends Omit<StepExecutionErrorOptions, 'cause'> {
  /** Told to the engine besides; `retryAfter` wins over what it says of the delay. */
  orchestrationMetadata?: OrchestrationMetadata;
}

/** A failure in one object. */
export interface Failure extends FailureOptions {
  message: string;
}

/** The ways to write a failure: in one object, message and options, or all by position. */
export type FailureArguments =
  | [failure: Failure]
  | [message: string, options?: FailureOptions]
  | [message: string, errorType?: string, retryable?: boolean, metadata?: Fields, errorCode?: string];

/** The JSON form of a {@link StepHandlerResult}. */
export interface StepHandlerResultJson {
  success: boolean;
  result: Fields | null;
  error_message: string | null;
  error_type: string | null;
  error_code: string | null;
  retryable: boolean;
  metadata: Fields;
  orchestration_metadata: StoredOrchestrationMetadata | null;
}

/** The backtrace of a result without one. */
export const NO_LINES: readonly string[] = Object.freeze([]);

/**
 * What one run of a handler came to.
 *
 * @example
 * StepHandlerResult.success({ packed: 2 });
 * StepHandlerResult.failure('payment declined', { errorType: 'payment_error', retryable: false });
 */
export class StepHandlerResult {
  static {
    Object.defineProperty(StepHandlerResult.prototype, RESULT_BRAND, { value: true });
  }

  readonly success: boolean;
  /** What dependents see; null on failure unless given. */
  readonly result: Fields | null;
  readonly errorMessage: string | null;
  readonly errorType: string | null;
  readonly errorCode: string | null;
  /** Whether another attempt may help; the template may still forbid it. True on success. */
  readonly retryable: boolean;
  readonly metadata: Fields;
  readonly orchestrationMetadata: OrchestrationMetadata | null;
  /** When the next attempt may start, as given or as its `retry-after` header says; null: as the template says. */
  readonly retryAfter: RetryAfter | null;
  /** Where it failed, a line an entry; empty when nothing was thrown. */
  readonly backtrace: readonly string[];
  /** The HTTP status behind a failure, when known. */
  readonly statusCode: number | null;

  constructor(params: StepHandlerResultParams) {
    this.success = params.success;
    this.result = (params.result as Fields | null | undefined) ?? null;
    this.errorMessage = params.errorMessage ?? null;
    this.errorType = params.errorType ?? null;
    this.errorCode = params.errorCode ?? null;
    this.retryable = params.retryable ?? true;
    this.metadata = params.metadata ?? {};
    const orchestration = params.orchestrationMetadata ?? null;
    this.retryAfter = params.retryAfter ?? (orchestration && retryAfterIn(orchestration));
    this.orchestrationMetadata =
      params.retryAfter == null ? orchestration : withRetryAfter(orchestration, params.retryAfter);
    this.backtrace = params.backtrace ?? NO_LINES;
    this.statusCode = params.statusCode ?? null;
  }

  /**
   * A success: `success(result, metadata)` or `success({ result, metadata })`. Dependents and REST see `result`. An
   * array or a primitive becomes `{ result: it }`. An object whose only keys are `result` and `metadata` is always the
   * second form. To store such an object as a result, pass it as `result` in that form.
   */
  static success(result: object = {}, metadata?: Fields): StepHandlerResult {
    if (!isSuccessObject(result)) return successOf(result, metadata);
    return successOf(result.result ?? {}, { ...metadataIn(result), ...metadata });
  }

  /** A failure: `failure({ message, … })`, `failure(message, { … })` or all by position. */
  static failure(...args: FailureArguments): StepHandlerResult {
    const { message, errorType, ...others } = failureOf(args);
    return new StepHandlerResult({
      ...others,
      success: false,
      errorMessage: message,
      errorType: errorType ?? ErrorType.HANDLER_ERROR,
    });
  }

  /** The same as {@link StepHandlerResult.success}. */
  static successHandlerResult(result: object = {}, metadata?: Fields): StepHandlerResult {
    return StepHandlerResult.success(result, metadata);
  }

  /** The same as {@link StepHandlerResult.failure}. */
  static failureHandlerResult(...args: FailureArguments): StepHandlerResult {
    return StepHandlerResult.failure(...args);
  }

  isSuccess(): boolean {
    return this.success;
  }

  isFailure(): boolean {
    return !this.success;
  }

  /** The stored form: snake_case keys. */
  toJSON(): StepHandlerResultJson {
    return {
      success: this.success,
      result: this.result,
      error_message: this.errorMessage,
      error_type: this.errorType,
      error_code: this.errorCode,
      retryable: this.retryable,
      metadata: this.metadata,
      orchestration_metadata: this.orchestrationMetadata && storedOrchestrationMetadata(this.orchestrationMetadata),
    };
  }
}

/**
 * Whether a value is a {@link StepHandlerResult}, of this copy of the package or of another.
 *
 * @example
 * if (isStepHandlerResult(returned) && !returned.success) alert(returned.errorMessage);
 */
export function isStepHandlerResult(value: unknown): value is StepHandlerResult {
  return typeof value === 'object' && value !== null && (value as { [RESULT_BRAND]?: unknown })[RESULT_BRAND] === true;
}

/** A success whose result is this value, for example of a function or a server. Its keys do not matter. */
export function successOf(value: unknown, metadata?: Fields): StepHandlerResult {
  return new StepHandlerResult({ success: true, result: isFields(value) ? value : { result: value }, metadata });
}

function isSuccessObject(value: unknown): value is { result: unknown; metadata: unknown } {
  return isFields(value) && Object.keys(value).length === 2 && 'result' in value && 'metadata' in value;
}

function metadataIn({ metadata }: { metadata: unknown }): Fields {
  if (metadata === undefined || metadata === null) return {};
  if (isFields(metadata)) return metadata;
  throw misuse(
    `success: metadata must be an object, not ${shown(metadata)}; an object with only the keys result and metadata is read as { result, metadata }`,
  );
}

/** A failure in one object, however it was written. */
export function failureOf(args: FailureArguments): Failure {
  return argumentsOf<Failure>(args, ['message', 'errorType', 'retryable', 'metadata', 'errorCode'], 1);
}

/** The metadata with the delay among its headers, where the engine and REST clients look for it. */
function withRetryAfter(metadata: OrchestrationMetadata | null, value: RetryAfter): OrchestrationMetadata | null {
  const header = retryAfterHeader(value);
  if (header === null) return metadata;
  const others = Object.entries(metadata?.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'retry-after');
  return { ...metadata, headers: { ...Object.fromEntries(others), 'retry-after': header } };
}

// The handler brings the function that enters its step, and so its own copy of the package: with two copies in one
// process, the worker of one runs handlers of the other. And only handlers that ask for it pay for it: once a storage
// is entered, Node 20 does more work at every promise of the process.
const ENTER = Symbol.for('tasker-core.enter-step');
const STEP = Symbol('the step that this was made for');

const running = new AsyncLocalStorage<StepContext>();

type Enter = <Outcome>(context: StepContext, run: () => Outcome) => Outcome;

/** The step that an object was made for ({@link belongsTo}), or a handler runs now; undefined when the worker did not call it. */
export function runningStep(of: object): StepContext | undefined {
  return (of as { [STEP]?: StepContext })[STEP] ?? running.getStore();
}

/** Says which step an object was made for. */
export function belongsTo<Made extends object>(made: Made, context: StepContext): Made {
  return Object.defineProperty(made, STEP, { value: context });
}

/** Makes handlers with this prototype, or this one handler, know which step they run: {@link runningStep} tells. */
export function knowsItsStep(handler: object): void {
  const enter: Enter = (context, run) => running.run(context, run);
  Object.defineProperty(handler, ENTER, { value: enter, configurable: true });
}

/** Runs a handler's method for a step, within that step if the handler wants to know it. One instance may serve many at once. */
export function runInStep<Outcome>(handler: object, context: StepContext, run: () => Outcome): Outcome {
  const enter = (handler as { [ENTER]?: Enter })[ENTER];
  return enter ? enter(context, run) : run();
}

/** {@link runInStep} of the handler's `call`, without a function made for each step. */
export function callInStep(context: StepContext, handler: ExecutableHandler): HandlerOutcome {
  const asks = (handler as { [ENTER]?: Enter })[ENTER] !== undefined;
  return asks ? runInStep(handler, context, () => handler.call(context)) : handler.call(context);
}
