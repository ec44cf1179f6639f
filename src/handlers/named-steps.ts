import { dependencyOf, isDependencySource } from './argument-readers.ts';
import type { AnyInputs, DependencySource } from './handler-arguments.ts';
import { inputsNamedIn, type NamedInput } from './named-inputs.ts';

/** The steps and inputs that a handler names. The names are checked against the templates that use the handler. */
export interface NamedSteps {
  readonly depends: readonly string[];
  readonly analyzerStep?: string;
  readonly workerTemplate?: string;
  // Handlers of an older copy of the package have neither of these.
  /** Returns the keys of the context that it reads. */
  readonly inputs?: () => readonly NamedInput[];
  /** Returns the steps that a decision chooses. */
  readonly routes?: () => readonly string[];
}

// `Symbol.for`, because a handler may come from another copy of the package.
const NAMED_STEPS = Symbol.for('tasker-core.named-steps');

/** The options that name steps and inputs, for any kind of handler. */
interface NamingOptions {
  inputs?: AnyInputs;
  depends?: Readonly<Record<string, DependencySource>>;
  analyzerStep?: DependencySource;
  workerTemplate?: DependencySource;
}

/** Returns the steps and inputs that are named in the options of a `define…` function. */
export function stepsNamedIn({ inputs, depends = {}, analyzerStep, workerTemplate }: NamingOptions): NamedSteps {
  return {
    inputs: () => inputsNamedIn(inputs),
    depends: Object.values(depends).map((source) => dependencyOf(source).step),
    ...(isDependencySource(analyzerStep) && { analyzerStep: dependencyOf(analyzerStep).step }),
    ...(isDependencySource(workerTemplate) && { workerTemplate: dependencyOf(workerTemplate).step }),
  };
}

/** Records the steps that a handler names, on its class or on a function that creates its instances. */
export function noteNamedSteps(on: object, named: NamedSteps): void {
  Object.defineProperty(on, NAMED_STEPS, { value: named });
}

/**
 * Returns the steps that a handler class, its instance, or a recorded function names. Undefined if they are unknown.
 */
export function namedStepsOf(handler: unknown): NamedSteps | undefined {
  if ((typeof handler !== 'object' && typeof handler !== 'function') || handler === null) return undefined;
  return (handler as { [NAMED_STEPS]?: NamedSteps })[NAMED_STEPS];
}
