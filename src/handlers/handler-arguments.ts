import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Logger } from '../logging/logger.ts';
import type { StepContext } from './step-context.ts';

/** The source of an argument in the task's context: a key, a schema, or a key and the schema for its value. */
export type InputSource = string | StandardSchemaV1 | { readonly key: string; readonly schema: StandardSchemaV1 };

/** The step whose result is passed as an argument: its name, alone or with a schema for the result. */
export type DependencySource =
  | string
  | readonly [step: string, schema: StandardSchemaV1]
  | { readonly step: string; readonly schema: StandardSchemaV1 };

/** Sources of inputs by argument name. A schema alone reads the key that has the argument's name. */
export type InputSources = Readonly<Record<string, InputSource>>;

/** The inputs of a handler: sources by argument name, or one schema for the whole context. */
export type AnyInputs = InputSources | StandardSchemaV1<unknown, object>;

/** Sources of dependencies by argument name. */
export type DependencySources = Readonly<Record<string, DependencySource>>;

/** The inputs or dependencies of a handler that declares none. */
export type None = Record<never, never>;

/** The arguments that `inputs` declares. The type is the output of the schema, or `unknown` without a schema. */
export type InputArguments<Inputs> = Inputs extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Inputs>
  : { [Name in keyof Inputs]: OutputOf<Inputs[Name]> };

/** The arguments that `depends` declares. The type is the output of the schema, or `unknown` without a schema. */
export type DependencyArguments<Depends> = { [Name in keyof Depends]: OutputOf<Depends[Name]> };

/** The arguments of a `defineHandler` function. Your own parameters may also be named `signal` or `logger`. */
export type HandlerArgs<Inputs = None, Depends = None> = InputArguments<Inputs> &
  DependencyArguments<Depends> & { readonly context: StepContext } & Omit<
    { readonly signal: AbortSignal; readonly logger: Logger },
    keyof InputArguments<Inputs> | keyof Depends
  >;

/** The function that `defineHandler` turns into a handler. */
export type HandlerFn<Inputs = None, Depends = None, Result = unknown> = (args: HandlerArgs<Inputs, Depends>) => Result;

/** The type of an argument from this source: the output of its schema, or `unknown` without a schema. */
export type OutputOf<Source> = Source extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<Source>
  : Source extends
        | { readonly schema: infer Schema extends StandardSchemaV1 }
        | readonly [string, infer Schema extends StandardSchemaV1]
    ? StandardSchemaV1.InferOutput<Schema>
    : unknown;
