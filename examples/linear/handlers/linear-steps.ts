import { defineHandler, type StepContext, StepHandler, type StepHandlerResult } from 'tasker-core';
import { z } from 'zod';

const Value = z.object({ value: z.number() });

/** The first step, as a class. Its result contains the input of the task. */
export class LinearStep1Handler extends StepHandler {
  static override readonly handlerName = 'linear_step_1';

  override call(context: StepContext): StepHandlerResult {
    return this.success({
      step1_processed: true,
      input_received: context.inputData,
      processed_at: new Date().toISOString(),
    });
  }
}

/** The other steps, as functions of the result of the previous step. */
export const step2 = defineHandler(
  'linear_step_2',
  { depends: { first: ['linear_step_1', z.object({ input_received: z.object({ value: z.number() }) })] } },
  ({ first }) => ({ value: first.input_received.value ** 2 }),
);

export const step3 = defineHandler(
  'linear_step_3',
  { depends: { second: ['linear_step_2', Value] } },
  ({ second }) => ({
    value: second.value + 10,
  }),
);

export const step4 = defineHandler('linear_step_4', { depends: { third: ['linear_step_3', Value] } }, ({ third }) => ({
  value: third.value / 2,
}));
