import { expectTypeOf, test } from 'vitest';
import type { DependencyResult } from '../../src/handlers/dependency-result.ts';
import type { StepContext, TypedStepContext } from '../../src/handlers/step-context.ts';
import { StepHandler, type StepHandlerClass } from '../../src/handlers/step-handler.ts';

interface Order {
  order_id: string;
  amount?: number;
}
type Context = TypedStepContext<Order, { reserve: { reservation: string } }>;

test('a class declares the types of the task context and of earlier results', () => {
  class Ship extends StepHandler<Context> {
    static override readonly handlerName = 'ship';

    call(context: Context) {
      expectTypeOf(context.inputData.order_id).toBeString();
      expectTypeOf(context.getInput('order_id')).toEqualTypeOf<string | undefined>();
      expectTypeOf(context.getInput('amount')).toEqualTypeOf<number | undefined>();
      expectTypeOf(context.getInput('other')).toBeUnknown();
      expectTypeOf(context.getInput<string[]>('other')).toEqualTypeOf<string[] | undefined>();
      expectTypeOf(context.getDependencyResult('reserve')).toEqualTypeOf<{ reservation: string } | null>();
      expectTypeOf(context.loadDependency('reserve')).resolves.toEqualTypeOf<{ reservation: string } | null>();
      return this.success();
    }
  }
  const asClass: StepHandlerClass = Ship;
  expectTypeOf(asClass).toEqualTypeOf<StepHandlerClass>();
});

test('without declared types everything is unknown, until the caller gives a type', () => {
  class Ship extends StepHandler {
    static override readonly handlerName = 'ship';

    call(context: StepContext) {
      expectTypeOf(context.inputData).toEqualTypeOf<Record<string, unknown>>();
      expectTypeOf(context.getInput('a')).toBeUnknown();
      expectTypeOf(context.getInput<string>('a')).toEqualTypeOf<string | undefined>();
      expectTypeOf(context.getDependencyResult('a')).toBeUnknown();
      expectTypeOf(context.dependencyResults.get('a')).toEqualTypeOf<Partial<DependencyResult> | undefined>();
      expectTypeOf(context.dependencyResults.a).toExtend<Partial<DependencyResult> | undefined>();
      for (const [, { success, n }] of Object.entries(context.dependencyResults)) {
        expectTypeOf(success).toEqualTypeOf<boolean | undefined>();
        expectTypeOf(n).toBeUnknown();
      }
      expectTypeOf(context.getDependencyResult<{ n: number }>('a')).toEqualTypeOf<{ n: number } | null>();
      return this.success();
    }
  }
  const asClass: StepHandlerClass = Ship;
  expectTypeOf(asClass).toEqualTypeOf<StepHandlerClass>();
});
