import { AsyncLocalStorage } from 'node:async_hooks';
import { type Fields, isFields } from '../model/json.ts';
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
import {
  type CompleteLaterOptions,
  callWait,
  completionWait,
  type NotYetOptions,
  type StartedTask,
  type StepWait,
  tasksWait,
  type UntilTasksEndOptions,
} from './step-wait.ts';

// `Symbol.for`, so that two copies of the package in one process recognize each other's handlers.
const HANDLER_BRAND = Symbol.for('tasker-core.step-handler');

/** The return value of a handler's `call`: a result or a promise of one. */
export type HandlerOutcome = StepHandlerResult | Promise<StepHandlerResult>;

/**
 * Where a handler runs. `none`: in the event loop, with all other handlers. `thread`: in a thread of a pool; a timeout
 * terminates the thread. The handler must then be defined in a file. See `docs/guide/threads.md`.
 */
export type HandlerIsolation = 'none' | 'thread';

/** A handler that a worker can run, regardless of how it was created. */
export interface ExecutableHandler {
  readonly name: string;
  readonly version: string;
  readonly capabilities: string[];
  call(context: StepContext): HandlerOutcome;
  /** Returns a JSON Schema for the handler's `initialization`, or null. */
  configSchema(): Record<string, unknown> | null;
}

/** A handler class, as `HandlerRegistry.register` accepts and `defineHandler` returns. */
export interface StepHandlerClass {
  new (): ExecutableHandler;
  /** The name that templates use as `handler.callable`. */
  readonly handlerName: string;
  /** Version of the handler, stored with each result. Default '1.0.0'. */
  readonly handlerVersion?: string;
  /** Where its steps run, unless the template sets it. Default `none`: in the event loop. */
  readonly isolation?: HandlerIsolation;
}

/** A handler class whose result has a known type. Only the compiler reads `resultType`. */
export interface TypedHandlerClass<Result = unknown> extends StepHandlerClass {
  readonly resultType?: Result;
}

/**
 * The base class of handlers. `Context` can declare the types that a handler reads, see `TypedStepContext`. The worker
 * creates a new instance for each step, so steps never share fields.
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

  /** The name that templates use as `handler.callable`. */
  static readonly handlerName: string = '';
  /** Version of the handler, stored with each result as `metadata.handler_version`. Default '1.0.0'. */
  static readonly handlerVersion: string = '1.0.0';
  /** Where its steps run, unless the template sets `handler.isolation`. */
  static readonly isolation: HandlerIsolation = 'none';

  /**
   * Does the step's work. A thrown error becomes a failure, which is retryable unless the error has `retryable: false`.
   */
  abstract call(context: Context): HandlerOutcome;

  /** The handler's name. Defaults to the name of the class. */
  get name(): string {
    const { handlerName, name } = this.constructor as typeof StepHandler;
    return handlerName || name;
  }

  get version(): string {
    return (this.constructor as typeof StepHandler).handlerVersion;
  }

  /** The kinds of work that this handler does. */
  get capabilities(): string[] {
    return ['process'];
  }

  /** Returns a JSON Schema for the handler's `initialization`. Null allows any value. */
  configSchema(): Record<string, unknown> | null {
    return null;
  }

  /**
   * Returns a success: `success(result, metadata)` or `success({ result, metadata })`. Dependent steps and the REST API
   * see `result`. `metadata` is stored with it. An object whose only keys are `result` and `metadata` is always read as
   * the second form.
   */
  protected success(result: object = {}, metadata?: Record<string, unknown>): StepHandlerResult {
    return StepHandlerResult.success(result, metadata);
  }

  /**
   * Returns a failure: `failure({ message, … })`, `failure(message, { … })` or all arguments by position. Retryable
   * unless `retryable` is false.
   */
  protected failure(...args: FailureArguments): StepHandlerResult {
    return StepHandlerResult.failure(...args);
  }

  /**
   * Returns a result that lets the step wait until another system completes it by its token, or an operator completes
   * it. See the function `completeLater`.
   *
   * @example
   * await bank.transfer({ reference: await context.completionToken() });
   * return this.completeLater({ timeoutMs: 86_400_000 });
   */
  protected completeLater(options?: CompleteLaterOptions): StepHandlerResult {
    return new StepHandlerResult({ success: true, wait: completionWait(options) });
  }

  /**
   * Returns a result that lets the worker call the handler again later, without using up an attempt. See the function
   * `notYet`.
   *
   * @example
   * if (!status.done) return this.notYet({ retryInMs: 30_000, checkpoint: status.job });
   */
  protected notYet(options: NotYetOptions): StepHandlerResult {
    return new StepHandlerResult({ success: true, wait: callWait(options) });
  }

  /**
   * Returns a result that lets the step wait until child tasks have ended. See the function `untilTasksEnd`.
   *
   * @example
   * return this.untilTasksEnd([await context.startTask('billing/invoice', { order }, { key: order })]);
   */
  protected untilTasksEnd(tasks: readonly (StartedTask | string)[], options?: UntilTasksEndOptions): StepHandlerResult {
    return new StepHandlerResult({ success: true, wait: tasksWait(tasks, options) });
  }

  toString(): string {
    return `${this.constructor.name}(name=${this.name}, version=${this.version})`;
  }
}

/**
 * Returns whether a value is a handler class: it extends {@link StepHandler} (from any copy of the package), or its
 * instances have a `call` method.
 *
 * @example
 * isHandlerClass(ProcessOrder); // true
 * isHandlerClass(async () => {}); // false
 */
export function isHandlerClass(value: unknown): value is StepHandlerClass {
  const prototype = prototypeOf(value);
  if (!prototype) return false;
  // Only the abstract base class itself has the brand. A subclass may define `call` as a field, so its prototype may
  // lack it.
  if (HANDLER_BRAND in prototype) return !Object.hasOwn(prototype, HANDLER_BRAND);
  return 'call' in prototype && typeof prototype.call === 'function';
}

/**
 * Returns whether a value is a handler that can run: an object with a `call` method.
 *
 * @example
 * isExecutableHandler(new ProcessOrder()); // true
 */
export function isExecutableHandler(value: unknown): value is ExecutableHandler {
  return typeof value === 'object' && value !== null && 'call' in value && typeof value.call === 'function';
}

/**
 * Returns whether a value is an instance of {@link StepHandler}, from this or another copy of the package.
 *
 * @example
 * isStepHandler(new ProcessOrder()); // true
 */
export function isStepHandler(value: unknown): value is StepHandler {
  return typeof value === 'object' && value !== null && HANDLER_BRAND in value;
}

/**
 * Returns whether a class is {@link StepHandler} or extends it, from this or another copy of the package.
 *
 * @example
 * extendsStepHandler(ProcessOrder); // true
 * extendsStepHandler(DecisionMixin); // false
 */
export function extendsStepHandler(value: unknown): boolean {
  const prototype = prototypeOf(value);
  return prototype !== null && HANDLER_BRAND in prototype;
}

/** Returns the prototype of a class's instances. Null if the value cannot be a class. */
export function prototypeOf(value: unknown): object | null {
  const prototype: unknown = typeof value === 'function' ? value.prototype : null;
  return typeof prototype === 'object' ? prototype : null;
}

// `Symbol.for`, so that two copies of the package in one process recognize each other's results.
const RESULT_BRAND = Symbol.for('tasker-core.step-handler-result');

/** Parameters of a {@link StepHandlerResult}. */
export interface StepHandlerResultParams {
  success: boolean;
  result?: object | null;
  errorMessage?: string | null;
  errorType?: string | null;
  errorCode?: string | null;
  /** Whether a retry may help. Default true. */
  retryable?: boolean;
  /** Stored with the result, under `metadata.custom`. */
  metadata?: Fields;
  orchestrationMetadata?: OrchestrationMetadata | null;
  /** When the next attempt may start. Overrides the template's backoff. */
  retryAfter?: RetryAfter | null;
  /** Stack frames of the error, one line each. */
  backtrace?: readonly string[];
  /** The HTTP status that caused the failure. */
  statusCode?: number | null;
  /** The wait that begins instead of a result. `completeLater`, `notYet` and `untilTasksEnd` create it. */
  wait?: StepWait | null;
}

/** Options of a failure. `errorType` defaults to `handler_error`. */
export interface FailureOptions extends Omit<StepExecutionErrorOptions, 'cause'> {
  /** Hints for the engine, such as a delay. `retryAfter` overrides this delay. */
  orchestrationMetadata?: OrchestrationMetadata;
}

/** A failure as one object. */
export interface Failure extends FailureOptions {
  message: string;
}

/** The argument forms of a failure: one object, a message and options, or all by position. */
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
  /** Only if the step waits. */
  wait?: StepWait;
}

/** The backtrace of a result without one. */
export const NO_LINES: readonly string[] = Object.freeze([]);

/**
 * The outcome of one run of a handler.
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
  /** The result that dependent steps see. Null for a failure unless given. */
  readonly result: Fields | null;
  readonly errorMessage: string | null;
  readonly errorType: string | null;
  readonly errorCode: string | null;
  /** Whether a retry may help. The template can still forbid it. True for a success. */
  readonly retryable: boolean;
  readonly metadata: Fields;
  readonly orchestrationMetadata: OrchestrationMetadata | null;
  /** When the next attempt may start, as given or from the `retry-after` header. Null uses the template's backoff. */
  readonly retryAfter: RetryAfter | null;
  /** Stack frames of the error, one line each. Empty if nothing was thrown. */
  readonly backtrace: readonly string[];
  /** The HTTP status that caused the failure, if known. */
  readonly statusCode: number | null;
  /** The wait that begins after this call of the handler. Null if the result is final. */
  readonly wait: StepWait | null;

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
    this.wait = params.wait ?? null;
  }

  /**
   * Creates a success: `success(result, metadata)` or `success({ result, metadata })`. Dependent steps and the REST API
   * see `result`. An array or a primitive is stored as `{ result: value }`. An object whose only keys are `result` and
   * `metadata` is always read as the second form. To store such an object as a result, pass it as `result` in that
   * form.
   */
  static success(result: object = {}, metadata?: Fields): StepHandlerResult {
    if (!isSuccessObject(result)) return successOf(result, metadata);
    return successOf(result.result ?? {}, { ...metadataIn(result), ...metadata });
  }

  /** Creates a failure: `failure({ message, … })`, `failure(message, { … })` or all arguments by position. */
  static failure(...args: FailureArguments): StepHandlerResult {
    const { message, errorType, ...others } = failureOf(args);
    return new StepHandlerResult({
      ...others,
      success: false,
      errorMessage: message,
      errorType: errorType ?? ErrorType.HANDLER_ERROR,
    });
  }

  /** Same as {@link StepHandlerResult.success}. */
  static successHandlerResult(result: object = {}, metadata?: Fields): StepHandlerResult {
    return StepHandlerResult.success(result, metadata);
  }

  /** Same as {@link StepHandlerResult.failure}. */
  static failureHandlerResult(...args: FailureArguments): StepHandlerResult {
    return StepHandlerResult.failure(...args);
  }

  isSuccess(): boolean {
    return this.success;
  }

  isFailure(): boolean {
    return !this.success;
  }

  /** Returns the stored form, with snake_case keys. */
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
      ...(this.wait && { wait: this.wait }),
    };
  }
}

/**
 * Returns whether a value is a {@link StepHandlerResult}, from this or another copy of the package.
 *
 * @example
 * if (isStepHandlerResult(returned) && !returned.success) alert(returned.errorMessage);
 */
export function isStepHandlerResult(value: unknown): value is StepHandlerResult {
  return typeof value === 'object' && value !== null && (value as { [RESULT_BRAND]?: unknown })[RESULT_BRAND] === true;
}

/**
 * Creates a success with this value as its result, regardless of its keys. For example, the value is the return value
 * of a function.
 */
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

/** Returns a failure as one object, from any of the argument forms. */
export function failureOf(args: FailureArguments): Failure {
  return argumentsOf<Failure>(args, ['message', 'errorType', 'retryable', 'metadata', 'errorCode'], 1);
}

/** Returns the metadata with the delay as a header, where the engine and REST clients read it. */
function withRetryAfter(metadata: OrchestrationMetadata | null, value: RetryAfter): OrchestrationMetadata | null {
  const header = retryAfterHeader(value);
  if (header === null) return metadata;
  const others = Object.entries(metadata?.headers ?? {}).filter(([name]) => name.toLowerCase() !== 'retry-after');
  return { ...metadata, headers: { ...Object.fromEntries(others), 'retry-after': header } };
}

// The handler provides the function that enters its step. With two copies of the package in one process, the worker of
// one copy runs handlers of the other. Each handler must use the storage of its own copy. Only handlers that need their
// step pay for it: once a storage is entered, Node 20 does more work for every promise in the process.
const ENTER = Symbol.for('tasker-core.enter-step');
const STEP = Symbol('the step of this object');

const running = new AsyncLocalStorage<StepContext>();

type Enter = <Outcome>(context: StepContext, run: () => Outcome) => Outcome;

/**
 * Returns the step that an object belongs to ({@link belongsTo}), or the step that the handler runs now. Undefined if
 * no worker called the handler.
 */
export function runningStep(of: object): StepContext | undefined {
  return (of as { [STEP]?: StepContext })[STEP] ?? running.getStore();
}

/**
 * Marks a handler as belonging to a step, and returns it. If it belongs to another step already, because an instance was
 * registered, returns an object that inherits from it.
 */
export function belongsTo<Made extends object>(made: Made, context: StepContext): Made {
  const own = Object.hasOwn(made, STEP) ? (Object.create(made) as Made) : made;
  return Object.defineProperty(own, STEP, { value: context });
}

/** Makes {@link runningStep} work for this handler, or for all handlers with this prototype. */
export function knowsItsStep(handler: object): void {
  const enter: Enter = (context, run) => running.run(context, run);
  Object.defineProperty(handler, ENTER, { value: enter, configurable: true });
}

/**
 * Runs a handler's method for a step. If the handler needs to know its step, the method runs inside that step's scope.
 * One instance may serve many steps at the same time.
 */
export function runInStep<Outcome>(handler: object, context: StepContext, run: () => Outcome): Outcome {
  const enter = (handler as { [ENTER]?: Enter })[ENTER];
  return enter ? enter(context, run) : run();
}

/** Runs the handler's `call` like {@link runInStep}, without creating a function for each step. */
export function callInStep(context: StepContext, handler: ExecutableHandler): HandlerOutcome {
  const asks = (handler as { [ENTER]?: Enter })[ENTER] !== undefined;
  return asks ? runInStep(handler, context, () => handler.call(context)) : handler.call(context);
}
