import { TaskerError } from '../errors.ts';
import { isFields } from '../model/json.ts';
import type { StepFile } from '../template/template-file.ts';
import type {
  AddedStep,
  ChildOptions,
  ChildResult,
  ElementArguments,
  Json,
  PayloadSchemas,
  RunArguments,
  SignalResult,
  SignalSettings,
  StepInfos,
  StepOptions,
} from './workflow-types.ts';

/** A workflow, to which steps are added. */
interface Adding {
  step(name: string, options: object): Adding;
}

type ElementRun = (args: RunArguments<unknown, unknown> & ElementArguments<unknown>) => unknown;

/** A workflow, as the types of a child task read it. */
interface Child {
  readonly types?: { input: unknown; steps: StepInfos; output: unknown };
}

/**
 * The steps that run for each element of a list, to which {@link Workflow.forEach} passes the first. Each method returns new
 * steps and changes nothing.
 *
 * @example
 * workflow('shop/pack@1.0.0', { input: z.object({ lines: z.array(z.object({ sku: z.string() })) }) }).forEach('each_line', {
 *   elements: ({ input }) => input.lines,
 *   steps: (line) => line.step('label', { run: ({ element, index }) => ({ code: `${index}-${element.sku}` }) }),
 * });
 */
export class ElementSteps<Input = unknown, Outer = unknown, Element = unknown, Steps extends StepInfos = StepInfos> {
  /** The steps as those of a workflow. @internal */
  readonly inner: Adding;
  /** Only the compiler reads these types. */
  declare readonly types?: { input: Input; outer: Outer; element: Element; steps: Steps };

  /** @internal */
  constructor(inner: Adding) {
    this.inner = inner;
  }

  /**
   * Adds a step, like {@link Workflow.step}. A function in `run` also gets `element`, and its number as `index`. `after` names
   * steps of the same element, and `steps` also has the results that the step with the list can read.
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
    Started extends string | Child = never,
    const OnFailure extends StepFile['on_failure'] = undefined,
    Result = unknown,
  >(
    name: Name,
    options: Omit<
      StepOptions<Input, Steps, After, Type, Inputs, RunIf, Join, When, Result, Outer, ElementArguments<Element>>,
      'undo'
    > & {
      /** The signal that it waits for. With `names`, the result is `{ name, payload }`, with the types of `schemas`. */
      signal?: SignalSettings<Names, Schemas, Default> | undefined;
    } & ChildOptions<Started, OnFailure>,
  ): ElementSteps<
    Input,
    Outer,
    Element,
    Steps &
      AddedStep<
        Steps,
        Name,
        After[number],
        { type: Type; runIf: RunIf; join: Join },
        When,
        [Names] extends [never]
          ? [Started] extends [never]
            ? Result
            : ChildResult<Started, OnFailure>
          : SignalResult<Names[number], Schemas> | Json<Default>
      >
  > {
    return new ElementSteps(this.inner.step(name, withElement(name, options)));
  }
}

/** Returns the options of a step whose function gets its element: two more inputs have it and its number. */
function withElement(name: string, options: { run?: unknown; inputs?: unknown }): object {
  const { run, inputs } = options;
  // A handler reads its element by its own inputs. A class is a function, too.
  if (typeof run !== 'function' || Object.hasOwn(run, 'handlerName')) return options;
  const own = isFields(inputs) ? inputs : undefined;
  for (const key of ['element', 'index'] as const) {
    if (own && Object.hasOwn(own, key)) {
      throw new TaskerError(
        'template_invalid',
        `step ${name}: inputs.${key}: the function gets it as \`${key}\`; remove it, or use another name`,
      );
    }
  }
  const given: ElementRun = (args) => {
    const { element, index, ...rest } = args.input as { element: unknown; index: number };
    const input = own ? rest : (rest as { input: unknown }).input;
    return (run as ElementRun)({ ...args, input, element, index });
  };
  return { ...options, run: given, inputs: { ...(own ?? { input: 'context' }), element: 'element', index: 'index' } };
}
