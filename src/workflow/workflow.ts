import type { StandardSchemaV1 } from '@standard-schema/spec';
import { TaskerError } from '../errors.ts';
import { defineHandler } from '../handlers/define-handler.ts';
import { isHandlerClass, type StepHandlerClass } from '../handlers/step-handler.ts';
import { isFields } from '../model/json.ts';
import type { ParsedTemplate } from '../template/parse-template.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import type { StepFile } from '../template/template-file.ts';
import { templateOfObject } from '../template/template-of-object.ts';
import { formatProblem, type TemplateProblem } from '../template/template-problem.ts';
import { loadYaml } from '../template/yaml-to-plain.ts';
import { ElementSteps } from './element-steps.ts';
import { inputSchemaOf, signalWithSchemas } from './input-schema.ts';
import { expressionOf, recordedPath } from './recorded-paths.ts';
import type {
  Above,
  AddedStep,
  ChildOptions,
  ChildResult,
  ForEachOptions,
  InputOf,
  Json,
  ListResult,
  OutputOf,
  PayloadSchemas,
  Results,
  RunArguments,
  SignalResult,
  SignalSettings,
  StepInfos,
  StepOptions,
  SureAt,
  SureInOutput,
  UndoSettings,
  UniqueSettings,
  WorkflowOptions,
} from './workflow-types.ts';

type Run = (args: RunArguments<unknown, unknown>) => unknown;

/** The parts of a workflow. */
interface Parts {
  namespace: string;
  name: string;
  version: string;
  /** The fields of the template file, without the steps and the output. */
  fields: Record<string, unknown>;
  steps: readonly Record<string, unknown>[];
  handlers: ReadonlyMap<string, StepHandlerClass>;
  /** The workflows of its child tasks. */
  children: readonly AnyWorkflow[];
  output: Record<string, string> | null;
}

/** The types of steps whose settings are a field of the same name. */
const WAITS = ['timer', 'signal', 'approval'] as const;

const BRAND = Symbol.for('tasker-core.workflow');

/**
 * A workflow in TypeScript: a template, and the functions that do the work of its steps. Each method returns a new
 * workflow and changes nothing.
 *
 * @example
 * const fulfil = workflow('shop/fulfil@1.0.0', { input: z.object({ id: z.string(), total: z.number() }) })
 *   .step('price', { run: async ({ input }) => ({ cents: Math.round(input.total * 100) }) })
 *   .step('ship', { after: ['price'], run: async ({ input, steps }) => ({ no: `${input.id}-${steps.price.cents}` }) })
 *   .output(({ steps }) => ({ tracking: steps.ship.no }));
 */
export class Workflow<Input = unknown, Steps extends StepInfos = StepInfos, Output = unknown> {
  readonly #parts: Parts;
  #parsed: ParsedTemplate | undefined;
  /** Only the compiler reads these types. */
  declare readonly types?: { input: Input; steps: Steps; output: Output };

  /** @internal */
  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Marks workflows, across copies of the package. @internal */
  get [BRAND](): true {
    return true;
  }

  get namespace(): string {
    return this.#parts.namespace;
  }

  get name(): string {
    return this.#parts.name;
  }

  get version(): string {
    return this.#parts.version;
  }

  /**
   * Adds a step. The options have the names of a template file, except for `after` (`depends_on`) and `run` (`handler`).
   *
   * @throws TaskerError `template_invalid` if a step with this name exists
   */
  step<
    const Name extends string,
    const After extends readonly (keyof Steps & string)[] = readonly [],
    const Type extends StepFile['type'] = undefined,
    const Inputs extends Record<string, string | number | boolean> | undefined = undefined,
    const RunIf extends StepFile['run_if'] = undefined,
    const Join extends StepFile['join'] = undefined,
    const When extends StepFile['when'] = undefined,
    const Names extends readonly string[] = never,
    const Schemas extends PayloadSchemas = never,
    const Default = never,
    Child extends string | AnyWorkflow = never,
    const OnFailure extends StepFile['on_failure'] = undefined,
    Result = unknown,
  >(
    name: Name,
    options: StepOptions<Input, Steps, After, Type, Inputs, RunIf, Join, When, Result> & {
      /** The signal that it waits for. With `names`, the result is `{ name, payload }`, with the types of `schemas`. */
      signal?: SignalSettings<Names, Schemas, Default> | undefined;
    } & ChildOptions<Child, OnFailure>,
  ): Workflow<
    Input,
    Steps &
      AddedStep<
        Steps,
        Name,
        After[number],
        { type: Type; runIf: RunIf; join: Join },
        When,
        [Names] extends [never]
          ? [Child] extends [never]
            ? Result
            : ChildResult<Child, OnFailure>
          : SignalResult<Names[number], Schemas> | Json<Default>
      >,
    Output
  > {
    const { steps, handlers, children, namespace, name: template } = this.#parts;
    const { after = [], run, handler, template: child, undo, ...fields } = options;
    const at = `${namespace}/${template}: step ${name}`;
    if (steps.some((step) => step['name'] === name)) {
      throw new TaskerError('template_invalid', `${at} exists twice; rename one of them`);
    }
    const own =
      run === undefined ? undefined : handlerOf(run as Run | StepHandlerClass, `${namespace}.${template}.${name}`, at);
    const callable = own && { callable: own.handlerName };
    const undone = undo && undoOf(undo, `${namespace}.${template}.${name}.undo`, at);
    const type = child === undefined ? WAITS.find((kind) => fields[kind] != null) : 'task';
    const step = {
      name,
      depends_on: [...after],
      ...(callable && { handler: { ...callable, ...handler } }),
      ...(type && { type }),
      ...(child !== undefined && { template: isWorkflow(child) ? `${child.namespace}/${child.name}` : child }),
      ...fields,
      ...(undone && { undo: undone.fields }),
      ...(fields.signal && { signal: signalWithSchemas(fields.signal, at) }),
    };
    return this.#with({
      steps: [...steps, step],
      handlers: new Map([
        ...handlers,
        ...[own, undone?.handler].flatMap((one) => (one ? [[one.handlerName, one] as const] : [])),
      ]),
      children: isWorkflow(child) ? [...children, child] : children,
    });
  }

  /**
   * Adds a step that runs others for each element of a list (`type: for_each`). Its result counts the elements, and has one
   * output for each of them if `output` names one.
   *
   * @throws TaskerError `template_invalid` if a step with this name exists, or `elements`, `key` or `output` computes a value
   *
   * @example
   * const pack = workflow('shop/pack@1.0.0', { input: z.object({ lines: z.array(z.object({ sku: z.string() })) }) })
   *   .forEach('each_line', {
   *     elements: ({ input }) => input.lines,
   *     key: ({ element }) => element.sku,
   *     parallelism: 10,
   *     steps: (line) =>
   *       line
   *         .step('label', { run: ({ element, index }) => ({ code: `${index}-${element.sku}` }) })
   *         .step('pack', { after: ['label'], run: ({ steps }) => ({ parcel: `parcel ${steps.label.code}` }) }),
   *     output: ({ steps }) => steps.pack.parcel,
   *   })
   *   .step('ship', { after: ['each_line'], run: ({ steps }) => ({ parcels: steps.each_line.outputs }) });
   */
  forEach<
    const Name extends string,
    const After extends readonly (keyof Steps & string)[] = readonly [],
    const RunIf extends StepFile['run_if'] = undefined,
    const Join extends StepFile['join'] = undefined,
    const When extends StepFile['when'] = undefined,
    Element = unknown,
    Inner extends StepInfos = never,
    Each = never,
  >(
    name: Name,
    options: ForEachOptions<
      Input,
      Steps,
      After,
      RunIf,
      Join,
      When,
      Element,
      ElementSteps<
        Input,
        Results<
          Steps,
          Above<Steps, After[number]>,
          SureAt<Steps, After[number], { type: 'for_each'; runIf: RunIf; join: Join }>
        >,
        NoInfer<Element>,
        Record<never, never>
      >,
      Inner,
      Each
    >,
  ): Workflow<
    Input,
    Steps &
      AddedStep<Steps, Name, After[number], { type: 'for_each'; runIf: RunIf; join: Join }, When, ListResult<Each>>,
    Output
  > {
    const { elements, key, steps, output, ...fields } = options;
    const empty = new Workflow({ ...this.#parts, steps: [], handlers: new Map(), children: [], output: null });
    const built = steps(new ElementSteps(empty as never) as never);
    const inner: unknown = (built as { inner?: unknown } | undefined)?.inner;
    if (!isWorkflow(inner)) {
      throw new TaskerError(
        'template_invalid',
        `step ${name}: steps must return the steps that it was given, with more of them`,
      );
    }
    const [parts, optional] = [inner.#parts, inner.#optionalSteps()];
    const expression = (option: unknown, at: string) => {
      if (typeof option !== 'function') return option;
      const value = (root: string) => recordedPath([root], at);
      const from = { input: value('context'), steps: value('steps'), element: value('element'), index: value('index') };
      return expressionOf((option as (from: object) => unknown)(from), at, (step) => !optional.has(step));
    };
    const whole = this.step(name, {
      ...fields,
      type: 'for_each',
      elements: expression(elements, `${name}.elements`),
      ...(key !== undefined && { key: expression(key, `${name}.key`) }),
      steps: parts.steps,
      ...(output !== undefined && { output: expression(output, `${name}.output`) }),
    } as never) as AnyWorkflow;
    return whole.#with({
      handlers: new Map([...whole.#parts.handlers, ...parts.handlers]),
      children: [...whole.#parts.children, ...parts.children],
    });
  }

  /**
   * Declares the output of a complete task. The function is called once, here, and only names values: of steps and of the
   * input. A value of a step that may not exist is null without it.
   *
   * @throws TaskerError `template_invalid` if it computes a value
   */
  output<const Recorded extends Record<string, unknown>>(
    record: (from: {
      readonly input: Input;
      readonly steps: Results<Steps, keyof Steps & string, SureInOutput<Steps>>;
    }) => Recorded,
  ): Workflow<Input, Steps, OutputOf<Recorded>> {
    const recorded = record({
      input: recordedPath(['context'], 'output') as Input,
      steps: recordedPath(['steps'], 'output') as never,
    });
    if (!isFields(recorded)) throw new TaskerError('template_invalid', 'output must return an object');
    const optional = this.#optionalSteps();
    const isSure = (step: string) => !optional.has(step);
    const entries = Object.entries(recorded).map(([key, value]) => [key, expressionOf(value, `output.${key}`, isSure)]);
    return this.#with({ output: Object.fromEntries(entries) as Record<string, string> });
  }

  #with(changed: Partial<Parts>): never {
    return new Workflow({ ...this.#parts, ...changed }) as never;
  }

  /** The steps that may be without a result in a complete task: because of a decision, a batch, a condition or a route. */
  #optionalSteps(): Set<string> {
    const makers = ['decision', 'batchable', 'batch_worker', 'deferred_convergence'];
    const { steps } = this.#parts;
    // The failure of these steps is handled, so the task can be complete without their results.
    const found = new Set(
      steps.flatMap(({ run_if: runIf, depends_on: after }) =>
        runIf === 'failed' || runIf === 'ended' ? (after as string[]) : [],
      ),
    );
    const stopped = new Set<string>();
    for (const { name, type, when, run_if: runIf = 'complete', join, depends_on: after } of steps) {
      const parents = after as string[];
      const isBelow =
        join === 'any' ? parents.every((step) => found.has(step)) : parents.some((step) => found.has(step));
      if (join === 'any') for (const step of this.#above(parents)) stopped.add(step);
      const isDecided = makers.includes(String(type)) || (when ?? null) !== null || runIf !== 'complete';
      if (isBelow || isDecided) found.add(String(name));
    }
    return new Set([...found, ...stopped]);
  }

  /** The names of these steps and of all steps before them. */
  #above(names: readonly string[]): Set<string> {
    const parentsOf = new Map(this.#parts.steps.map(({ name, depends_on: after }) => [name, after as string[]]));
    const found = new Set(names);
    for (const name of found) for (const parent of parentsOf.get(name)!) found.add(parent);
    return found;
  }

  /** The workflows of its child tasks, which `createTasker` registers, too. */
  get children(): readonly AnyWorkflow[] {
    return this.#parts.children;
  }

  /** The handlers of its steps, which `createTasker` registers. */
  get handlers(): StepHandlerClass[] {
    return [...this.#parts.handlers.values()];
  }

  /**
   * The template, checked like a template file.
   * @throws TaskerError `template_invalid` with all problems
   */
  get template(): TaskTemplate {
    const { template, problems } = this.#checked;
    if (template) return template;
    const errors = problems.filter(({ severity }) => severity === 'error').map(formatProblem);
    throw new TaskerError('template_invalid', errors.join('\n'), { details: { problems } });
  }

  /**
   * The errors and warnings of the template, as `tasker template validate` reports them. A workflow with warnings runs.
   *
   * @example
   * for (const problem of fulfil.problems) console.warn(formatProblem(problem));
   */
  get problems(): TemplateProblem[] {
    return this.#checked.problems;
  }

  get #checked(): ParsedTemplate {
    if (this.#parsed) return this.#parsed;
    const { namespace, name, version } = this.#parts;
    const { template, problems } = templateOfObject(this.#file(), { environment: '' });
    const file = `${namespace}/${name}@${version}`;
    this.#parsed = { template, problems: problems.map((problem) => ({ ...inOwnWords(problem), file })) };
    return this.#parsed;
  }

  #file(): Record<string, unknown> {
    const { namespace, name, version, fields, steps, output } = this.#parts;
    return { name, namespace, version, ...fields, steps, ...(output && { output }) };
  }

  /**
   * Returns the request for a task with this input, for `createTasks` and for `tasks.createMany` of the client.
   *
   * @example
   * await tasker.createTasks([fulfil.request({ id: 'A-1', total: 12 }), fulfil.request({ id: 'A-2', total: 5 })]);
   */
  request(input: Input): { namespace: string; name: string; version: string; context: Record<string, unknown> } {
    const { namespace, name, version } = this.#parts;
    return { namespace, name, version, context: input as Record<string, unknown> };
  }

  /** Returns the template as the text of a YAML file. It names the handlers, and does not have their code. */
  toYaml(): string {
    return loadYaml().stringify(JSON.parse(JSON.stringify(this.#file())), { lineWidth: 120 });
  }
}

/** Any workflow. */
// biome-ignore lint/suspicious/noExplicitAny: the types of the workflow do not matter
export type AnyWorkflow = Workflow<any, any, any>;

/** Returns whether a value is a workflow, from this or another copy of the package. */
export function isWorkflow(value: unknown): value is AnyWorkflow {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** Returns workflows with those of their child tasks, each once. */
export function withChildren(workflows: readonly AnyWorkflow[]): AnyWorkflow[] {
  const found = new Set(workflows);
  for (const one of found) for (const child of one.children) found.add(child);
  return [...found];
}

const ID = /^([^/@\s]+)\/([^/@]+)@([^/@\s]+)$/;

/**
 * Begins a workflow in TypeScript, which has the same content as a template in YAML. Pass it to `createTasker` in
 * `workflows`, and run it with `tasker.run`. `id` is `namespace/name@version`.
 *
 * @throws TaskerError `template_invalid` if the id or the schema of the input cannot be used
 *
 * @example
 * const greet = workflow('demo/greet@1.0.0', { input: z.object({ name: z.string() }) })
 *   .step('greet', { run: ({ input }) => ({ greeting: `Hello ${input.name}` }) })
 *   .output(({ steps }) => ({ greeting: steps.greet.greeting }));
 * const tasker = await createTasker({ workflows: [greet] });
 * const { greeting } = await tasker.run(greet, { name: 'Ada' });
 */
export function workflow<Schema extends StandardSchemaV1 | undefined = undefined>(
  id: `${string}/${string}@${string}`,
  options: WorkflowOptions<Schema> = {},
): Workflow<InputOf<Schema>, Record<never, never>, undefined> {
  const [, namespace, name, version] = ID.exec(id) ?? [];
  if (namespace === undefined || name === undefined || version === undefined) {
    throw new TaskerError(
      'template_invalid',
      `workflow ${JSON.stringify(id)} must be namespace/name@version, such as shop/fulfil@1.0.0`,
    );
  }
  const { input, unique, ...fields } = options;
  const schema = input && {
    input_schema: inputSchemaOf(input, { at: `workflow ${id}`, key: 'input', instead: 'give input_schema' }),
  };
  return new Workflow({
    namespace,
    name,
    version,
    fields: { ...fields, ...schema, ...(unique && { unique: uniqueOf(unique) }) },
    steps: [],
    handlers: new Map(),
    children: [],
    output: null,
  });
}

/** Returns `unique` in the form of a template file. */
function uniqueOf({ key, ...unique }: UniqueSettings<never>): Record<string, unknown> {
  if (typeof key !== 'function') return { key, ...unique };
  const at = 'unique.key';
  return { key: expressionOf(key({ input: recordedPath(['context'], at) as never }), at, () => true), ...unique };
}

/** Returns a problem with the names that the options of a step have. */
function inOwnWords(problem: TemplateProblem): TemplateProblem {
  const message = problem.message
    .replaceAll('depends_on', '`after`')
    .replace('add `handler: …`', 'add `run`')
    .replace(' has a handler, but', ' has `run`, but')
    .replace('or remove `type: task`', 'or remove `template`');
  return { ...problem, message, path: problem.path.replace('.depends_on', '.after') };
}

/** Returns the fields of `undo` in a template file, and its handler. */
function undoOf(undo: Omit<UndoSettings<never, never, never>, 'run'> & { run?: unknown }, name: string, at: string) {
  const { run, handler, ...fields } = undo;
  const own = run === undefined ? undefined : handlerOf(run as Run | StepHandlerClass, name, `${at}: undo`);
  return { fields: { ...fields, handler: { ...handler, ...(own && { callable: own.handlerName }) } }, handler: own };
}

function handlerOf(run: Run | StepHandlerClass, callable: string, at: string): StepHandlerClass {
  if (isHandlerClass(run)) return run;
  if (typeof run === 'function') {
    return defineHandler(callable, {}, ({ context, signal, logger }) =>
      run({
        input: context.inputData,
        steps: resultsIn(context),
        context,
        signal,
        logger,
        ...(context.undo && { error: context.undo.error }),
        // Read only if the function uses it, because it may be too large to be loaded with the step.
        get result() {
          return context.undo?.result;
        },
      }),
    );
  }
  throw new TaskerError('template_invalid', `${at}: run must be a function, or what defineHandler returns`);
}

/** Returns the results of the steps before a step, each of which is read when it is used. */
function resultsIn(context: {
  getDependencyResultKeys(): string[];
  getDependencyResult(step: string): unknown;
}): object {
  const results = {};
  for (const name of context.getDependencyResultKeys()) {
    Object.defineProperty(results, name, {
      get: () => context.getDependencyResult(name) ?? undefined,
      enumerable: true,
    });
  }
  return results;
}
