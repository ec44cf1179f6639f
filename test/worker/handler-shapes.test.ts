import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import * as sdk from '../../src/index.ts';
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

/** Waits until the step reaches its expected state, and returns its stored outcome. */
async function outcomeOf(tasker: sdk.Tasker, taskUuid: string, { outcome }: HandlerShape) {
  const { currentState, attempts, results } = await until(
    () => tasker.getStep(taskUuid, 'a'),
    (step) => step.currentState === outcome.state,
    100_000,
  );
  const { error_type: type, message } = results?.error ?? {};
  return { state: currentState, attempts, ...(results?.success ? { result: results.result } : { type, message }) };
}

const inProcess = HANDLER_SHAPES.filter(({ processes }) => !processes);
const apart = HANDLER_SHAPES.filter(({ processes }) => processes);

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

it('a handler that ends or blocks its process has the documented outcome', async () => {
  // All shapes run at the same time, because each of them waits most of the time.
  const seen = await Promise.all(
    apart.map(async (shape) => {
      const { tasker, demo } = await shared.setup({ a: STEPS.a }, { worker: false });
      keepRunning(shape, demo.namespace);
      const { taskUuid } = await tasker.createTask(demo);
      return [shape.shape, await outcomeOf(tasker, taskUuid, shape)];
    }),
  );
  expect(seen).toEqual(apart.map(({ shape, outcome }) => [shape, outcome]));
});

/** Runs the handler in `shape.processes` processes until the test ends. A process that ends is restarted. */
function keepRunning(shape: HandlerShape, namespace: string): void {
  const program = path.join(import.meta.dirname, '../support/shape-worker.mjs');
  const options = { databaseUrl: shared.url, namespaces: [namespace], poolSize: 3, ...shape.options };
  const args = [program, String(HANDLER_SHAPES.indexOf(shape)), JSON.stringify(options)];
  const running = new Set<ChildProcess>();
  let over = false;
  const start = () => {
    if (over) return;
    // The output is ignored, because errors of Node about unhandled rejections are expected here.
    const child = spawn(process.execPath, args, { stdio: 'ignore' });
    running.add(child);
    child.once('exit', () => {
      running.delete(child);
      start();
    });
  };
  for (let i = 0; i < shape.processes!; i++) start();
  onTestFinished(async () => {
    over = true;
    const gone = [...running].map((child) => once(child, 'exit'));
    for (const child of running) child.kill('SIGKILL');
    await Promise.all(gone);
  });
}

it('the database satisfies the invariants after all tests', () => invariants(shared.sql));
