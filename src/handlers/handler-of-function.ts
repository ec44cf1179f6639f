import { TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import {
  type ArgumentReader,
  contextReader,
  dependencyReader,
  inputReader,
  isDependencySource,
  isInputSource,
  isStandardSchema,
} from './argument-readers.ts';
import type { AnyInputs, DependencySources, InputSources } from './handler-arguments.ts';
import { unknownInputsReader } from './named-inputs.ts';
import { noteNamedSteps, stepsNamedIn } from './named-steps.ts';
import { resultOfReturn, resultOfThrown } from './outcome.ts';
import type { StepContext } from './step-context.ts';
import {
  type ExecutableHandler,
  type HandlerIsolation,
  type HandlerOutcome,
  StepHandler,
  type StepHandlerClass,
  type StepHandlerResult,
} from './step-handler.ts';

// Marks a class made from a function. True if its instances have no state, so that one instance can serve all steps.
// With `Symbol.for`, the mark works across copies of the package.
const SHARED = Symbol.for('tasker-core.shared-handler');

/** Options of {@link defineHandler}. */
export interface HandlerOptions<Inputs = InputSources, Depends = DependencySources> {
  /** Arguments from the task's context: sources by argument name, or one schema for the whole context. */
  inputs?: Inputs;
  /** Arguments from the results of earlier steps: sources by argument name. */
  depends?: Depends;
  /** Version of the handler, stored with each result. Default '1.0.0'. */
  version?: string;
  /** Where its steps run, unless the template sets `handler.isolation`. Default `none`. */
  isolation?: HandlerIsolation;
}

/** The definition of a handler by one of the `define…` functions. */
export interface FunctionHandler {
  readonly name: string;
  /** `inputs`, `depends`, `version`, `isolation`, and the options in `moreOptions`. */
  readonly options: HandlerOptions<AnyInputs, DependencySources>;
  readonly fn: (args: never) => unknown;
  /** Names of the options that only this kind of handler has. */
  readonly moreOptions?: readonly string[];
  /** The arguments that only this kind of handler has. The user's own arguments cannot have these names. */
  readonly moreArguments?: Readonly<Record<string, ArgumentReader>>;
  /** Whether one instance can serve all steps. Default true. */
  readonly shared?: boolean;
  /** The handler's capabilities. Default `['process']`. */
  readonly capabilities?: readonly string[];
  /** Returns the steps that its function names, besides those in the options. */
  readonly routes?: () => readonly string[];
  /** Returns the result for a returned value. May throw. Default: the conversion of `defineHandler`. */
  resultOf?(returned: unknown, context: StepContext): StepHandlerResult;
  /** Returns the result of a step without calling the function, or null to call it. */
  answerBefore?(context: StepContext): StepHandlerResult | null;
}

/**
 * Creates the handler class for all `define…` functions. Throws `handler_invalid` if the name or options are invalid.
 */
export function handlerOfFunction(definition: FunctionHandler): StepHandlerClass {
  refuseInvalidDefinition(definition);
  const { name, options, capabilities = ['process'], shared = true } = definition;
  const { version = '1.0.0', isolation = 'none' } = options;
  const call = callOf(definition);

  class DefinedHandler extends StepHandler {
    static override readonly handlerName = name;
    static override readonly handlerVersion = version;
    static override readonly isolation = isolation;
    static readonly [SHARED] = shared;

    override get capabilities(): string[] {
      return [...capabilities];
    }

    override call(context: StepContext): HandlerOutcome {
      return call(context, this);
    }
  }
  Object.defineProperty(DefinedHandler, 'name', { value: name });
  const named = { ...stepsNamedIn(options), ...(definition.routes && { routes: definition.routes }) };
  noteNamedSteps(DefinedHandler, named);
  noteNamedSteps(DefinedHandler.prototype, named);
  return DefinedHandler;
}

/** Returns whether one instance of this class can serve all steps, even concurrently. */
export function isSharedHandlerClass(value: StepHandlerClass): boolean {
  return Object.hasOwn(value, SHARED) && (value as { [SHARED]?: boolean })[SHARED] === true;
}

/** Returns whether a handler is an instance of a class from {@link handlerOfFunction}. */
export function isFunctionHandler(handler: object): boolean {
  const itsClass: unknown = handler.constructor; // undefined for an object without a prototype
  return typeof itsClass === 'function' && Object.hasOwn(itsClass, SHARED);
}

/**
 * Returns a function that reads the arguments, calls the handler's function, and converts its outcome. Never throws.
 */
function callOf(definition: FunctionHandler): (context: StepContext, handler: ExecutableHandler) => HandlerOutcome {
  const { answerBefore } = definition;
  const finish = finisherOf(definition);
  const readers = readersOf(definition);
  // The readers assign all arguments that the type declares. The compiler cannot infer that.
  const run = definition.fn as (args: Record<string, unknown>) => unknown;

  return (context, handler) => {
    try {
      const answer = answerBefore?.(context);
      if (answer) return answer;
      const args = new ArgumentsOfStep(context) as unknown as Record<string, unknown>;
      const waiting: Promise<undefined>[] = [];
      for (const reader of readers) {
        const pending = reader(context, args, handler);
        if (pending) waiting.push(pending);
      }
      const returned = waiting.length > 0 ? Promise.all(waiting).then(() => run(args)) : run(args);
      return isThenable(returned)
        ? Promise.resolve(returned).then((value) => finish(value, context), resultOfThrown)
        : finish(returned, context);
    } catch (thrown) {
      return resultOfThrown(thrown);
    }
  };
}

function finisherOf({ resultOf }: FunctionHandler): (returned: unknown, context: StepContext) => StepHandlerResult {
  if (!resultOf) return resultOfReturn;
  return (returned, context) => {
    try {
      return resultOf(returned, context);
    } catch (thrown) {
      return resultOfThrown(thrown);
    }
  };
}

/**
 * The arguments that every function receives. The signal and the logger of a step are created when a function reads
 * them, so they are getters. The getters are on a prototype, because getters in a literal made each call 25 times
 * slower.
 */
class ArgumentsOfStep {
  readonly context: StepContext;

  constructor(context: StepContext) {
    this.context = context;
  }

  get signal(): AbortSignal {
    return this.context.signal;
  }

  get logger(): Logger {
    return this.context.logger;
  }
}

/** Returns whether a value has a `then` method, as promises of any library have. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function readersOf({ options, moreArguments = {} }: FunctionHandler): ArgumentReader[] {
  const { inputs = {}, depends = {} } = options;
  return [
    ...(options.inputs === undefined ? [] : [unknownInputsReader(inputs)]),
    ...Object.entries(depends).map(([name, source]) => dependencyReader(name, source)),
    ...(isStandardSchema(inputs)
      ? [contextReader(inputs)]
      : Object.entries(inputs).map(([name, source]) => inputReader(name, source))),
    // Added last, so that no key from a schema of the whole context replaces them.
    ...Object.values(moreArguments),
  ];
}

const OPTIONS = ['inputs', 'depends', 'version', 'isolation'];
const RESERVED = ['context', '__proto__'];

/** Checks the arguments when the handler is defined, because the types do not protect JavaScript callers. */
function refuseInvalidDefinition({ name, options, fn, moreOptions = [], moreArguments = {} }: FunctionHandler): void {
  const refuse = (what: string): never => {
    throw new TaskerError('handler_invalid', `handler ${String(name)}: ${what}`);
  };
  if (typeof name !== 'string' || name.trim() === '') refuse('the name must be a non-empty string');
  if (typeof fn !== 'function') refuse(`the third argument must be a function, not ${typeof fn}`);

  const allowed = [...OPTIONS, ...moreOptions];
  for (const option of Object.keys(options)) {
    if (!allowed.includes(option)) refuse(`unknown option ${option}; the options are ${allowed.join(', ')}`);
  }
  const { isolation = 'none' } = options;
  if (isolation !== 'none' && isolation !== 'thread')
    refuse(`isolation must be none or thread, not ${String(isolation)}`);
  const reserved = [...RESERVED, ...Object.keys(moreArguments)];
  const inputs = isStandardSchema(options.inputs) ? {} : (options.inputs ?? {});
  const depends = options.depends ?? {};
  for (const parameter of [...Object.keys(inputs), ...Object.keys(depends)]) {
    if (reserved.includes(parameter)) refuse(`a parameter cannot be named ${parameter}; choose another name`);
  }
  for (const [parameter, source] of Object.entries(inputs)) {
    if (!isInputSource(source)) refuse(`input ${parameter} must be a key, a schema, or { key, schema }`);
  }
  for (const [parameter, source] of Object.entries(depends)) {
    if (!isDependencySource(source))
      refuse(`dependency ${parameter} must be a step, [step, schema], or { step, schema }`);
  }
  const both = Object.keys(inputs).find((parameter) => Object.hasOwn(depends, parameter));
  if (both !== undefined) refuse(`parameter ${both} is in both inputs and depends; rename one`);
}
