import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Logger } from '../logging/logger.ts';
import type { StepContext } from './step-context.ts';

/** Where an argument's value comes from in the task's context: a key, or a key and the schema its value must meet. */
export type InputSource = string | StandardSchemaV1 | { readonly key: string; readonly schema: StandardSchemaV1 };

/** Which step's result an argument is: its name, alone or with the schema that the result must meet. */
export type DependencySource =
  | string
  | readonly [step: string, schema: StandardSchemaV1]
  | { readonly step: string; readonly schema: StandardSchemaV1 };

/** By argument name. A bare schema reads the key of the argument's own name. */
export type InputSources = Readonly<Record<string, InputSource>>;

/** The inputs of a handler: by argument name, or one schema for the whole context. */
export type AnyInputs = InputSources | StandardSchemaV1<unknown, object>;

/** By argument name. */
export type DependencySources = Readonly<Record<string, DependencySource>>;

/** The inputs or dependencies of a handler that asks for none. */
export type None = Record<never, never>;

/** The arguments that `inputs` gives: what a schema puts out; without a schema `unknown`. */
export type InputArguments<Inputs> = Inputs extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Inputs>
  : { [Name in keyof Inputs]: OutputOf<Inputs[Name]> };

/** The arguments that `depends` gives: what a schema puts out; without a schema `unknown`. */
export type DependencyArguments<Depends> = { [Name in keyof Depends]: OutputOf<Depends[Name]> };

/** What a `defineHandler` function is called with. A parameter of one's own may be called `signal` or `logger` too. */
export type HandlerArgs<Inputs = None, Depends = None> = InputArguments<Inputs> &
  DependencyArguments<Depends> & { readonly context: StepContext } & Omit<
    { readonly signal: AbortSignal; readonly logger: Logger },
    keyof InputArguments<Inputs> | keyof Depends
  >;

/** A function that `defineHandler` makes a handler of. */
export type HandlerFn<Inputs = None, Depends = None> = (args: HandlerArgs<Inputs, Depends>) => unknown;

/** What an argument from this source is: what its schema puts out; without one `unknown`. */
export type OutputOf<Source> = Source extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Source>
  : Source extends
        | { readonly schema: infer Schema extends StandardSchemaV1 }
        | readonly [string, infer Schema extends StandardSchemaV1]
    ? StandardSchemaV1.InferOutput<Schema>
    : unknown;
