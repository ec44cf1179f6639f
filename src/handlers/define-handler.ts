import type { StandardSchemaV1 } from '@standard-schema/spec';
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
import type { DependencySources, HandlerArguments, InputSources } from './handler-arguments.ts';
import { resultOfReturn, resultOfThrown } from './outcome.ts';
import type { StepContext } from './step-context.ts';
import { type HandlerOutcome, StepHandler, type StepHandlerClass } from './step-handler.ts';

// Marks a class whose instances hold nothing, so that one may serve all steps. `Symbol.for`: of any copy of the package.
const SHARED = Symbol.for('tasker-core.shared-handler');

/** What a `defineHandler` function is given besides the context. */
export interface HandlerOptions<Inputs, Depends> {
  /** Arguments from the task's context: by name, or one schema for the whole of it. */
  inputs?: Inputs;
  /** Arguments from the results of earlier steps, by name. */
  depends?: Depends;
  /** Stored with each result; default '1.0.0'. */
  version?: string;
}

/**
 * A handler from a function. It is called with its inputs, the results it depends on, `context`, `signal` and `logger`;
 * what it returns is the step's result (an object as it is, anything else as `{ result: it }`), what it throws the
 * failure. A value that its schema refuses fails the step for good, with a `validation_error` that names the path.
 * Without a schema an argument is `unknown`; an absent input is undefined, an absent dependency null.
 *
 * Throws `handler_invalid` when name or options make no sense.
 *
 * @example
 * const charge = defineHandler(
 *   'charge',
 *   { inputs: { cardId: 'card_id' }, depends: { cart: ['price_cart', z.object({ total: z.number() })] } },
 *   async ({ cardId, cart, signal }) => pay(String(cardId), cart.total, { signal }),
 * );
 */
export function defineHandler<
  const Inputs extends InputSources | StandardSchemaV1<unknown, object> = Record<never, never>,
  const Depends extends DependencySources = Record<never, never>,
>(
  name: string,
  options: HandlerOptions<Inputs, Depends>,
  fn: (args: HandlerArguments<Inputs, Depends>) => unknown,
): StepHandlerClass {
  refuseNonsense(name, options, fn);
  const readers = readersOf(options);
  // The readers put in place what the type says; nothing else could tell the compiler.
  const run = fn as (args: Record<string, unknown>) => unknown;
  const version = options.version ?? '1.0.0';

  class DefinedHandler extends StepHandler {
    static override readonly handlerName = name;
    static override readonly handlerVersion = version;
    static readonly [SHARED] = true;

    override call(context: StepContext): HandlerOutcome {
      return callFunction(run, readers, context);
    }
  }
  Object.defineProperty(DefinedHandler, 'name', { value: name });
  return DefinedHandler;
}

/** Whether one instance of this class may serve all steps, also at the same time. */
export function isSharedHandlerClass(value: StepHandlerClass): boolean {
  return Object.hasOwn(value, SHARED);
}

function callFunction(
  run: (args: Record<string, unknown>) => unknown,
  readers: readonly ArgumentReader[],
  context: StepContext,
): HandlerOutcome {
  try {
    const args = new HandlerArgs(context) as unknown as Record<string, unknown>;
    const waiting: Promise<undefined>[] = [];
    for (const reader of readers) {
      const pending = reader(context, args);
      if (pending) waiting.push(pending);
    }
    const returned = waiting.length > 0 ? Promise.all(waiting).then(() => run(args)) : run(args);
    return isThenable(returned)
      ? Promise.resolve(returned).then(resultOfReturn, resultOfThrown)
      : resultOfReturn(returned);
  } catch (thrown) {
    return resultOfThrown(thrown);
  }
}

/**
 * What every function is given. The signal and the logger of a step are made when a function asks for them, hence the
 * getters; they are on a prototype because getters in a literal made each call 25 times as dear.
 */
class HandlerArgs {
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

function readersOf(options: HandlerOptions<InputSources | StandardSchemaV1, DependencySources>): ArgumentReader[] {
  const { inputs = {}, depends = {} } = options;
  return [
    ...Object.entries(depends).map(([name, source]) => dependencyReader(name, source)),
    ...(isStandardSchema(inputs)
      ? [contextReader(inputs)]
      : Object.entries(inputs).map(([name, source]) => inputReader(name, source))),
  ];
}

const OPTIONS = ['inputs', 'depends', 'version'];
const RESERVED = ['context', '__proto__'];

/** What the types cannot keep JavaScript from doing, said where the handler is defined and not when a step runs. */
function refuseNonsense(name: string, options: HandlerOptions<unknown, unknown>, fn: unknown): void {
  const refuse = (what: string): never => {
    throw new TaskerError('handler_invalid', `handler ${String(name)}: ${what}`);
  };
  if (typeof name !== 'string' || name.trim() === '') refuse('its name must be a text that is not empty');
  if (typeof fn !== 'function') refuse(`the third argument must be its function, not ${typeof fn}`);

  for (const option of Object.keys(options)) {
    if (!OPTIONS.includes(option)) refuse(`there is no option ${option}; there are ${OPTIONS.join(', ')}`);
  }
  const inputs = isStandardSchema(options.inputs) ? {} : (options.inputs ?? {});
  const depends = options.depends ?? {};
  for (const parameter of [...Object.keys(inputs), ...Object.keys(depends)]) {
    if (RESERVED.includes(parameter)) refuse(`a parameter cannot be called ${parameter}; choose another name`);
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
