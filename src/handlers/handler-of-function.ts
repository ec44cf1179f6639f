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
import { noteNamedSteps, stepsNamedIn } from './named-steps.ts';
import { resultOfReturn, resultOfThrown } from './outcome.ts';
import type { StepContext } from './step-context.ts';
import {
  type HandlerIsolation,
  type HandlerOutcome,
  StepHandler,
  type StepHandlerClass,
  type StepHandlerResult,
} from './step-handler.ts';

// Marks a class whose instances hold nothing, so that one may serve all steps. `Symbol.for`: of any copy of the package.
const SHARED = Symbol.for('tasker-core.shared-handler');

/** What a `defineHandler` function is given besides the context. */
export interface HandlerOptions<Inputs = InputSources, Depends = DependencySources> {
  /** Arguments from the task's context: by name, or one schema for the whole of it. */
  inputs?: Inputs;
  /** Arguments from the results of earlier steps, by name. */
  depends?: Depends;
  /** Stored with each result; default '1.0.0'. */
  version?: string;
  /** Where its steps run, unless their template's `handler.isolation` says. Default `none`. */
  isolation?: HandlerIsolation;
}

/** What a `define…` function makes a handler of. */
export interface FunctionHandler {
  readonly name: string;
  /** `inputs`, `depends`, `version`, `isolation`, and what `moreOptions` names. */
  readonly options: HandlerOptions<AnyInputs, DependencySources>;
  readonly fn: (args: never) => unknown;
  /** The options that this kind of handler has besides those of all. */
  readonly moreOptions?: readonly string[];
  /** The arguments that this kind of handler has besides those of all; none of the user's can be called so. */
  readonly moreArguments?: Readonly<Record<string, ArgumentReader>>;
  /** Default `['process']`. */
  readonly capabilities?: readonly string[];
  /** What the returned value comes to; it may throw. Default: as `defineHandler` does it. */
  resultOf?(returned: unknown, context: StepContext): StepHandlerResult;
  /** The result of a step for which the function is not to be called, or null. */
  answerBefore?(context: StepContext): StepHandlerResult | null;
}

/** The class of handlers that all `define…` functions give. Throws `handler_invalid` when name or options make no sense. */
export function handlerOfFunction(definition: FunctionHandler): StepHandlerClass {
  refuseNonsense(definition);
  const { name, options, capabilities = ['process'] } = definition;
  const { version = '1.0.0', isolation = 'none' } = options;
  const call = callOf(definition);

  class DefinedHandler extends StepHandler {
    static override readonly handlerName = name;
    static override readonly handlerVersion = version;
    static override readonly isolation = isolation;
    static readonly [SHARED] = true;

    override get capabilities(): string[] {
      return [...capabilities];
    }

    override call(context: StepContext): HandlerOutcome {
      return call(context);
    }
  }
  Object.defineProperty(DefinedHandler, 'name', { value: name });
  const named = stepsNamedIn(options);
  noteNamedSteps(DefinedHandler, named);
  noteNamedSteps(DefinedHandler.prototype, named);
  return DefinedHandler;
}

/** Whether one instance of this class may serve all steps, also at the same time. */
export function isSharedHandlerClass(value: StepHandlerClass): boolean {
  return Object.hasOwn(value, SHARED);
}

/** Whether a handler is an instance of such a class, and has only its function to run. */
export function isFunctionHandler(handler: object): boolean {
  const made: unknown = handler.constructor; // undefined in an object without a prototype
  return typeof made === 'function' && Object.hasOwn(made, SHARED);
}

/** The function with its arguments read before it and its outcome made a result after it; never throws. */
function callOf(definition: FunctionHandler): (context: StepContext) => HandlerOutcome {
  const { answerBefore } = definition;
  const finish = finisherOf(definition);
  const readers = readersOf(definition);
  // The readers put in place what the type says; nothing else could tell the compiler.
  const run = definition.fn as (args: Record<string, unknown>) => unknown;

  return (context) => {
    try {
      const answer = answerBefore?.(context);
      if (answer) return answer;
      const args = new ArgumentsOfStep(context) as unknown as Record<string, unknown>;
      const waiting: Promise<undefined>[] = [];
      for (const reader of readers) {
        const pending = reader(context, args);
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
 * What every function is given. The signal and the logger of a step are made when a function asks for them, hence the
 * getters; they are on a prototype because getters in a literal made each call 25 times as dear.
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

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function readersOf({ options, moreArguments = {} }: FunctionHandler): ArgumentReader[] {
  const { inputs = {}, depends = {} } = options;
  return [
    ...Object.entries(depends).map(([name, source]) => dependencyReader(name, source)),
    ...(isStandardSchema(inputs)
      ? [contextReader(inputs)]
      : Object.entries(inputs).map(([name, source]) => inputReader(name, source))),
    // Last, so that no key of a schema for the whole context takes their place.
    ...Object.values(moreArguments),
  ];
}

const OPTIONS = ['inputs', 'depends', 'version', 'isolation'];
const RESERVED = ['context', '__proto__'];

/** What the types cannot keep JavaScript from doing, said where the handler is defined and not when a step runs. */
function refuseNonsense({ name, options, fn, moreOptions = [], moreArguments = {} }: FunctionHandler): void {
  const refuse = (what: string): never => {
    throw new TaskerError('handler_invalid', `handler ${String(name)}: ${what}`);
  };
  if (typeof name !== 'string' || name.trim() === '') refuse('its name must be a text that is not empty');
  if (typeof fn !== 'function') refuse(`the third argument must be its function, not ${typeof fn}`);

  const allowed = [...OPTIONS, ...moreOptions];
  for (const option of Object.keys(options)) {
    if (!allowed.includes(option)) refuse(`there is no option ${option}; there are ${allowed.join(', ')}`);
  }
  const { isolation = 'none' } = options;
  if (isolation !== 'none' && isolation !== 'thread')
    refuse(`isolation must be none or thread, not ${String(isolation)}`);
  const reserved = [...RESERVED, ...Object.keys(moreArguments)];
  const inputs = isStandardSchema(options.inputs) ? {} : (options.inputs ?? {});
  const depends = options.depends ?? {};
  for (const parameter of [...Object.keys(inputs), ...Object.keys(depends)]) {
    if (reserved.includes(parameter)) refuse(`a parameter cannot be called ${parameter}; choose another name`);
  }
  for (const [parameter, source] of Object.entries(inputs)) {
    if (!isInputSource(source)) refuse(`input ${parameter} must be a key, a schema, or { key, schema }`);
  }
  for (const [parameter, source] of Object.entries(depends)) {
    if (!isDependencySource(source))
      refuse(`dependency ${parameter} must be a step, [step, schema], or { step, schema }`);
  }
  const both = Object.keys(inputs).find((parameter) => Object.hasOwn(depends, parameter));
  if (both !== undefined) refuse(`parameter ${both} is among inputs and depends; rename one`);
}
