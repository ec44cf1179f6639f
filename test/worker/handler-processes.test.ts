import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { outcomeOf } from '../support/handler-outcomes.ts';
import { HANDLER_SHAPES, type HandlerShape } from '../support/handler-shapes.mjs';
import { invariants } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const STEPS = { a: { retry: { max_attempts: 2, backoff: 'none' } } };
const apart = HANDLER_SHAPES.filter(({ processes }) => processes);

it('a handler that ends or blocks its process has the documented outcome', async () => {
  // All shapes run at the same time, because each of them waits most of the time.
  const seen = await Promise.all(
    apart.map(async (shape) => {
      const { tasker, demo } = await shared.setup(STEPS, { worker: false });
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
