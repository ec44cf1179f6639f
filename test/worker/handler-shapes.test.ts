import { describe, expect, it } from 'vitest';
import * as sdk from '../../src/index.ts';
import { outcomeOf } from '../support/handler-outcomes.ts';
import { HANDLER_SHAPES, type HandlerShape } from '../support/handler-shapes.mjs';
import { invariants, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const STEPS = { a: { retry: { max_attempts: 2, backoff: 'none' } }, neighbor: [] };
const neighbor = sdk.defineHandler('neighbor', {}, () => ({}));

type Callable = Pick<HandlerShape, 'call'>;

/** The handler as a class and as a function. The outcome of the step is the same. */
const HANDLERS = {
  'a class': ({ call }: Callable) =>
    class extends sdk.StepHandler {
      static override readonly handlerName = 'a';
      override call(context: sdk.StepContext) {
        return call(context, sdk) as sdk.StepHandlerResult;
      }
    },
  'a function': ({ call }: Callable) => sdk.defineHandler('a', {}, ({ context }) => call(context, sdk)),
};

/** A handler that calls the function of the shape whose number is in the task. */
const ANY_SHAPE: Callable = {
  call: (context, package_) => HANDLER_SHAPES[Number(context.inputData.shape)]!.call(context, package_),
};

const inProcess = HANDLER_SHAPES.filter(({ processes }) => !processes);

describe.each(Object.entries(HANDLERS))('a handler that is %s', (_, handlerOf) => {
  const oneWorker = shared.once(STEPS, { handlers: [handlerOf(ANY_SHAPE), neighbor] });
  it.each(inProcess.map((shape) => [shape.shape, shape] as const))(
    'a handler that %s has the documented outcome',
    async (_, shape) => {
      const { tasker, demo } = shape.options
        ? await shared.setup(STEPS, { handlers: [handlerOf(shape), neighbor], ...shape.options })
        : await oneWorker();
      const { taskUuid } = await tasker.createTask({ ...demo, context: { shape: HANDLER_SHAPES.indexOf(shape) } });
      expect(await outcomeOf(tasker, taskUuid, shape)).toEqual(shape.outcome);
      // The other step must not affect this one.
      const rests = ({ currentState }: sdk.Step) => currentState === 'complete';
      await until(() => tasker.getStep(taskUuid, 'neighbor'), rests);
      if (shape.options) return; // a handler that continues after its timeout keeps its slot
      await until(
        () => tasker.stats,
        (stats) => stats?.running === 0 && stats.unrecorded === 0,
      );
    },
  );
});

it('the database satisfies the invariants after all tests', () => invariants(shared.sql));
