import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { StepContext } from '../handlers/step-context.ts';
import type { StepHandlerResult, TypedHandlerClass } from '../handlers/step-handler.ts';
import type { UndoneError } from '../handlers/undone.ts';
import type { Logger } from '../logging/logger.ts';
import type { StepFile, TemplateFile } from '../template/template-file.ts';

/**
 * A value as it is read from the database: as JSON returns it. A `Date` is a string, and functions are omitted.
 *
 * @example
 * type Read = Json<{ at: Date; n: number }>; // { at: string; n: number }
 */
export type Json<T> = 0 extends 1 & T
  ? unknown
  : T extends string | number | boolean | null | undefined
    ? T
    : T extends { toJSON(...args: never): infer Written }
      ? Json<Written>
      : T extends readonly unknown[]
        ? { -readonly [Key in keyof T]: Json<T[Key]> }
        : T extends (...args: never) => unknown
          ? never
          : T extends object
            ? { -readonly [Key in keyof T as T[Key] extends (...args: never) => unknown ? never : Key]: Json<T[Key]> }
            : unknown;

/** The result of a step whose handler returns `T`, as later steps read it. Values other than objects are in `result`. */
export type ResultOf<T> = 0 extends 1 & T
  ? unknown
  : [T] extends [StepHandlerResult]
    ? unknown
    : // biome-ignore lint/suspicious/noConfusingVoidType: the type of a function that returns nothing
      [T] extends [undefined | null | void]
      ? Record<never, never>
      : [T] extends [readonly unknown[] | string | number | boolean | bigint]
        ? { result: Json<T> }
        : Json<T>;

/** A step of a workflow, as the types know it. */
export interface StepInfo {
  /** The value that its handler returns. Later steps read it as {@link ResultOf}. */
  result: unknown;
  /** The names of the steps before it. */
  above: string;
  /** The names of the steps that have completed if this one has: itself, and those on unbroken chains of success. */
  sure: string;
  /** Whether it may be without a result in a complete task: a decision, a batch or a condition decides about it. */
  optional: boolean;
  /** The names of the steps whose failure it handles. */
  handles: string;
  /** The names of the steps that it may stop, because it takes the first of several. */
  stops: string;
}

/** The steps of a workflow by their names. */
export type StepInfos = Record<string, StepInfo>;

/** The names of the steps before a step that is declared after these. */
export type Above<Steps extends StepInfos, After extends string> = After | (Steps[After] & StepInfo)['above'];

type DynamicType = 'decision' | 'batchable' | 'batch_worker' | 'deferred_convergence';

/** The facts that decide whether a step runs: its type, and the ends of the steps before it. */
export interface Deciding {
  type: StepFile['type'];
  runIf: StepFile['run_if'];
  join: StepFile['join'];
}

/** The names of the steps that have completed when a step runs that is declared after these. */
export type SureAt<Steps extends StepInfos, After extends string, By extends Deciding> = By['type'] extends DynamicType
  ? never
  : By['join'] extends 'any'
    ? never
    : By['runIf'] extends 'complete' | undefined | null
      ? (Steps[After] & StepInfo)['sure']
      : never;

/** Whether a step may be without a result in a complete task. */
export type IsOptional<
  Steps extends StepInfos,
  After extends string,
  By extends Deciding,
  When,
> = By['type'] extends DynamicType
  ? true
  : By['runIf'] extends 'complete' | undefined | null
    ? When extends undefined | null
      ? By['join'] extends 'any'
        ? [(Steps[After] & StepInfo)['optional']] extends [true]
          ? true
          : false
        : true extends (Steps[After] & StepInfo)['optional']
          ? true
          : false
      : true
    : true;

/** The names of the steps whose failure a step handles. */
export type HandledBy<After extends string, RunIf> = RunIf extends 'failed' | 'ended' ? After : never;

/** The names of the steps that a join may stop before they have a result. */
export type StoppedBy<Steps extends StepInfos, After extends string, Join> = Join extends 'any'
  ? Above<Steps, After>
  : never;

/** A step that is added to the steps of a workflow. */
export type AddedStep<
  Steps extends StepInfos,
  Name extends string,
  After extends string,
  By extends Deciding,
  When,
  Result,
> = {
  [Key in Name]: {
    result: Result;
    above: Above<Steps, After>;
    sure: Name | SureAt<Steps, After, By>;
    optional: IsOptional<Steps, After, By, When>;
    handles: HandledBy<After, By['runIf']>;
    stops: StoppedBy<Steps, After, By['join']>;
  };
};

/** The results that a step can read. Undefined where a step may have ended without one. */
export type Results<Steps extends StepInfos, Names extends string, Sure extends string> = {
  readonly [Name in Names]: Name extends Sure
    ? ResultOf<(Steps[Name] & StepInfo)['result']>
    : ResultOf<(Steps[Name] & StepInfo)['result']> | undefined;
};

/** The names of the steps that have a result in every complete task. */
export type SureInOutput<Steps extends StepInfos> = {
  [Name in keyof Steps & string]: Steps[Name]['optional'] extends true
    ? never
    : Name extends Steps[keyof Steps]['stops']
      ? never
      : [Extract<Name | Steps[Name]['above'], Steps[keyof Steps]['handles']>] extends [never]
        ? Name
        : never;
}[keyof Steps & string];

/** The arguments of a function that does the work of a step. */
export interface RunArguments<Input, Read> {
  /** The task's input, or the values of the step's `inputs`. */
  readonly input: Input;
  /** The results of the steps before this one, by their names. */
  readonly steps: Read;
  readonly context: StepContext;
  /** Fires when the step should stop. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

/** The arguments of a function that undoes a step. `input` and `steps` are those of the step. */
export interface UndoArguments<Input, Read, Result> extends RunArguments<Input, Read> {
  /** The result of the step. Null if it did not complete, which needs `include: 'attempted'`. */
  readonly result: ResultOf<Result> | null;
  /** The last failure of the step. Null if it completed, or was stopped before it failed. */
  readonly error: UndoneError | null;
}

/** How a step is undone, with the names of a template file. */
export interface UndoSettings<Input, Read, Result> extends Omit<NonNullable<StepFile['undo']>, 'handler'> {
  /** The work: a function, which is registered as `NAMESPACE.TEMPLATE.STEP.undo`, or a handler. */
  run?: ((args: UndoArguments<Input, Read, Result>) => unknown) | TypedHandlerClass<unknown>;
  /** Further options of the handler, or `callable`: the name of one that is registered elsewhere. */
  handler?: Partial<NonNullable<StepFile['handler']>>;
}

/** The fields of a step, with the names of a template file. */
type StepFields = Omit<
  StepFile,
  | 'name'
  | 'handler'
  | 'dependencies'
  | 'type'
  | 'inputs'
  | 'run_if'
  | 'join'
  | 'when'
  | 'signal'
  | 'template'
  | 'context'
  | 'on_failure'
  | 'undo'
>;

/** A workflow, as the types of a child task read it. */
interface ChildWorkflow {
  readonly types?: { input: unknown; steps: StepInfos; output: unknown };
}

/** The fields of a step that starts a child task, with the names of a template file. */
export type ChildOptions<Child extends string | ChildWorkflow, OnFailure extends StepFile['on_failure']> = {
  /** The template of the child task: a workflow, or the name of a template. Without a version in the name, the active version. */
  template?: Child;
  /** `continue`: the step completes with the state of the child if the child fails. Default `fail`. */
  on_failure?: OnFailure;
} & ([Child] extends [never]
  ? { context?: never }
  : Record<never, never> extends ChildContext<Child>
    ? { context?: ChildContext<Child> }
    : { context: ChildContext<Child> });

/** The context of a child, as expressions by key. Required if the input of its workflow has required keys. */
export type ChildContext<Child> = Child extends { readonly types?: { input: infer Input } }
  ? { readonly [Key in keyof Input]: string | number | boolean }
  : Readonly<Record<string, string | number | boolean>>;

/** The output of a child, or its results by step if it has no output. */
type ChildOutput<Child> = Child extends {
  readonly types?: { steps: infer Steps extends StepInfos; output: infer Output };
}
  ? [Output] extends [undefined]
    ? { [Name in keyof Steps]?: ResultOf<Steps[Name]['result']> }
    : Json<Output>
  : unknown;

/** The result of a step that starts a child task. */
export type ChildResult<Child, OnFailure> = OnFailure extends 'continue'
  ? {
      task_uuid: string;
      state: string;
      output: ChildOutput<Child> | null;
      error: { type: string; message: string } | null;
    }
  : ChildOutput<Child>;

/** The schema of a payload: a zod schema, a schema of another library that can convert it to JSON Schema, or JSON Schema itself. */
export type PayloadSchema = StandardSchemaV1 | Record<string, unknown>;

/** The schemas of payloads, by the names of their signals. */
export type PayloadSchemas = Readonly<Record<string, PayloadSchema>>;

/** The `signal` of a step, with the names of a template file. */
export interface SignalSettings<Names extends readonly string[], Schemas extends PayloadSchemas, Default>
  extends Omit<NonNullable<StepFile['signal']>, 'names' | 'schema' | 'schemas' | 'default'> {
  /** Several signals, the first of which completes the step with `{ name, payload }`. */
  names?: Names;
  /** The schema of the payload. */
  schema?: PayloadSchema;
  /** The schemas of the payloads of `names`. */
  schemas?: Schemas;
  /** The result if the step completes at its `timeout`. */
  default?: Default;
}

type PayloadOf<Schema> = Schema extends StandardSchemaV1 ? StandardSchemaV1.InferInput<Schema> : unknown;

/** The result of a step that waits for the first of several signals. */
export type SignalResult<Name extends string, Schemas> = Name extends string
  ? {
      name: Name;
      payload: [Schemas] extends [never] ? unknown : Name extends keyof Schemas ? PayloadOf<Schemas[Name]> : unknown;
    }
  : never;

/** The result of a step that runs others for each element of a list. */
export type ListResult<Each> = {
  /** Numbers of elements. */
  total: number;
  completed: number;
  failed: number;
  /** The first 100 failed elements. */
  failures: { element: number; key: string | null; step: string; message: string }[];
} & ([Each] extends [never]
  ? unknown
  : { /** One value for each element, in the order of the list. */ outputs: (Json<Each> | null)[] });

/** The further arguments of a function that does the work of a step for an element of a list. */
export interface ElementArguments<Element> {
  /** The element. */
  readonly element: Element;
  /** Its number in the list, from 0. */
  readonly index: number;
}

/** Names a value by a path, or gives an expression. */
type Naming<From, Value> = string | ((from: From) => Value);

/** Options of {@link Workflow.forEach}, with the names of a template file. */
export interface ForEachOptions<
  Input,
  Steps extends StepInfos,
  After extends readonly (keyof Steps & string)[],
  RunIf extends StepFile['run_if'],
  Join extends StepFile['join'],
  When extends StepFile['when'],
  Element,
  Begin,
  Inner extends StepInfos,
  Each,
> extends Omit<
    StepFields,
    | 'elements'
    | 'key'
    | 'steps'
    | 'output'
    | 'parallelism'
    | 'on_element_failure'
    | 'batch_config'
    | 'timer'
    | 'approval'
    | 'message'
  > {
  /** The steps that must complete first (`depends_on`). Write it before `elements`, so that `elements` knows its `steps`. */
  after?: After;
  run_if?: RunIf;
  join?: Join;
  when?: When;
  /** The list, such as `({ input }) => input.lines`, or an expression. At most 100,000 elements of any JSON. */
  elements: Naming<
    {
      readonly input: Input;
      readonly steps: Results<
        Steps,
        Above<Steps, After[number]>,
        SureAt<Steps, After[number], { type: 'for_each'; runIf: RunIf; join: Join }>
      >;
    },
    readonly Element[]
  >;
  /** A label for an element in lists, such as `({ element }) => element.sku`, or an expression. It need not be unique. */
  key?: Naming<{ readonly input: Input } & ElementArguments<NoInfer<Element>>, unknown>;
  /** The number of elements that run at once, 1 to 1,000. Default 20. */
  parallelism?: number;
  /** The effect of a failed element on the others. Default `block`: the others continue, then the task is blocked. */
  on_element_failure?: 'block' | 'continue' | 'stop';
  /** Adds the steps that run for each element. Write it after `elements`. */
  steps: (each: Begin) => { readonly types?: { steps: Inner } };
  /** The output of an element, such as `({ steps }) => steps.pack.parcel`, or an expression. Write it after `steps`. */
  output?: Naming<
    {
      readonly input: Input;
      readonly steps: Results<NoInfer<Inner>, keyof Inner & string, SureInOutput<NoInfer<Inner>>>;
    } & ElementArguments<NoInfer<Element>>,
    Each
  >;
}

/** Options of {@link Workflow.step}: the fields of a step in a template file, except for `after`, `run` and `type`. */
export interface StepOptions<
  Input,
  Steps extends StepInfos,
  After extends readonly (keyof Steps & string)[],
  Type extends StepFile['type'],
  Inputs extends Record<string, string | number | boolean> | undefined,
  RunIf extends StepFile['run_if'],
  Join extends StepFile['join'],
  When extends StepFile['when'],
  Result,
  Outer = unknown,
  More = unknown,
> extends StepFields {
  /** The steps that must complete first (`depends_on`). Write it before `run`, so that `run` knows its `steps`. */
  after?: After;
  /** Default: `task` with `template`; the type of `timer`, `signal` or `approval`, if it has one of them; otherwise `standard`. */
  type?: Type;
  /**
   * The ends of the steps before it after which it runs; otherwise it is skipped. Default `complete`. Without it, `steps`
   * has the results of these steps; with another value, they may be undefined. Write it before `run`.
   */
  run_if?: RunIf;
  /**
   * `any`: it starts when the first of the steps before it completes, and the others that lead only to it are stopped. Then
   * each of their results in `steps` may be undefined. Write it before `run`.
   */
  join?: Join;
  /** A condition as an expression. If it is false when the step would start, the step is skipped. */
  when?: When;
  /** Expressions whose values are `input`, instead of the task's input. */
  inputs?: Inputs;
  /**
   * The work of the step: a function, or a handler (`handler`). A function is registered as `NAMESPACE.TEMPLATE.STEP`,
   * without the version, so that open tasks continue after a deploy. Omit it for a step that waits.
   */
  run?:
    | ((
        args: RunArguments<
          Inputs extends undefined ? Input : { readonly [Name in keyof Inputs]: unknown },
          Results<
            Steps,
            Above<Steps, After[number]>,
            SureAt<Steps, After[number], { type: Type; runIf: RunIf; join: Join }>
          > &
            Outer
        > &
          More,
      ) => Result | Promise<Result>)
    | TypedHandlerClass<Result>;
  /** Further options of the handler in the template: `initialization`, `method`, `resolver`, `isolation`. */
  handler?: Omit<NonNullable<StepFile['handler']>, 'callable'>;
  /** How its effects are undone, if its task is undone. Write it after `run`, so that `result` has the type of its result. */
  undo?: UndoSettings<
    Inputs extends undefined ? Input : { readonly [Name in keyof Inputs]: unknown },
    Results<Steps, Above<Steps, After[number]>, SureAt<Steps, After[number], { type: Type; runIf: RunIf; join: Join }>>,
    NoInfer<Result>
  >;
}

/** The fields of a template, with the names of a template file. */
type TemplateFields = Omit<
  TemplateFile,
  'name' | 'namespace_name' | 'version' | 'steps' | 'input_schema' | 'output' | 'environments' | 'unique'
>;

/** The `unique` of a workflow, with the names of a template file. */
export interface UniqueSettings<Input> extends Omit<NonNullable<TemplateFile['unique']>, 'key'> {
  /** The value of the input that is the key, such as `({ input }) => input.customerId`, or an expression. */
  key: Naming<{ readonly input: Input }, string | number | boolean>;
}

/** Options of {@link workflow}: the fields of a template file, except for `input`. */
export interface WorkflowOptions<Schema extends StandardSchemaV1 | undefined> extends TemplateFields {
  /** The schema of the input (`input_schema`): of zod, or of another library that can write it as JSON Schema. */
  input?: Schema;
  /** The schema of the input as JSON Schema, instead of `input`. */
  input_schema?: Record<string, unknown>;
  /** Permits one open task for each key. */
  unique?: UniqueSettings<InputOf<Schema>>;
}

/** The input of a workflow, as a task stores it. */
export type InputOf<Schema> = Schema extends StandardSchemaV1
  ? Json<StandardSchemaV1.InferInput<Schema>>
  : Record<string, unknown>;

/** The type of a recorded output: undefined values are null. */
export type OutputOf<Recorded> = {
  -readonly [Key in keyof Recorded]: undefined extends Recorded[Key]
    ? Exclude<Recorded[Key], undefined> | null
    : Recorded[Key];
};
