import type { StepContext } from './step-context.ts';

/** The accessors of a context whose contents were declared. */
export interface TypedAccessors<Input extends object, Results extends object> {
  readonly inputData: Input;
  getInput<Key extends keyof Input & string>(key: Key): Input[Key] | undefined;
  getDependencyResult<Step extends keyof Results & string>(stepName: Step): Results[Step] | null;
  loadDependency<Step extends keyof Results & string>(stepName: Step): Promise<Results[Step] | null>;
}

/**
 * A {@link StepContext} that knows the types of what it holds: `Input` is the task's context, `Results` are the results of
 * earlier steps by step name. They are claims: nothing is checked. `defineHandler` takes schemas, which are.
 *
 * @example
 * type Context = TypedStepContext<{ order_id: string }, { reserve: { reservation: string } }>;
 *
 * class Ship extends StepHandler<Context> {
 *   static override handlerName = 'ship';
 *
 *   call(context: Context) {
 *     return this.success({ shipped: context.getDependencyResult('reserve')?.reservation });
 *   }
 * }
 */
export type TypedStepContext<Input extends object, Results extends object = Record<string, unknown>> = TypedAccessors<
  Input,
  Results
> &
  StepContext;
