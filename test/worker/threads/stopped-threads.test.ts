import { Worker as Thread } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { SharedLoopState } from '../../../src/worker/lease/loop-watch.ts';
import { template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { threadHandlers } from '../../support/thread-handlers.ts';

const shared = sharedDatabase();
const inThread = (callable: string, more: Record<string, unknown> = {}) => ({
  handler: { callable, isolation: 'thread' },
  ...more,
});

it('a handler in a thread can save a checkpoint and return metadata', async () => {
  const { tasker, demo } = await shared.setup({ a: inThread('keeps') }, { handlers: threadHandlers(), threads: 1 });
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 40_000 });
  expect(await tasker.getStep(taskUuid, 'a')).toMatchObject({
    attempts: 1,
    results: { result: { cursor: 7, retry: false }, metadata: { custom: { region: 'eu' } } },
  });
});

it('a handler in a thread can start child tasks, and gets the refusal of a start', async () => {
  const made = await shared.setup(
    { a: inThread('fans_out'), b: inThread('fans_out', { dependencies: ['a'] }) },
    { handlers: threadHandlers(), threads: 1 },
  );
  const { tasker } = made;
  const { namespace } = made.demo;
  const inner = template({ work: { handler: 'keeps' } }, { name: 'inner', namespace, output: { n: 'context.n' } });
  await tasker.registerTemplates(inner);
  const { taskUuid } = await tasker.createTask({ ...made.demo, context: { child: 'inner' } });
  await tasker.waitForTask(taskUuid, { timeoutMs: 40_000 });
  expect((await tasker.getStep(taskUuid, 'b')).results?.result).toEqual({ result: [{ n: 'a' }, { n: 'b' }] });
  const { taskUuid: refused } = await tasker.createTask({ ...made.demo, context: { child: 'nowhere' } });
  const { results } = await until(
    () => tasker.getStep(refused, 'a'),
    ({ currentState }) => currentState === 'error',
  );
  expect(results?.error).toMatchObject({ error_type: 'template_not_found', retryable: false });
});

it('a worker that stops fails its running non-retryable steps in threads, and releases the steps that wait for a thread', async () => {
  const { tasker, demo, another } = await shared.setup(
    { a: inThread('spins', { retry: { retryable: false } }) },
    { handlers: threadHandlers(), threads: 2 },
  );
  const tasks = await tasker.createTasks([demo, demo, demo]);
  await until(
    () => tasker.stats!,
    ({ threads }) => threads.busy === 2 && threads.waiting === 1,
  );
  await tasker.stop({ drainTimeoutMs: 200 });
  const observer = await another({ worker: false, handlers: [] });
  const steps = await Promise.all(tasks.map(({ taskUuid }) => observer.getStep(taskUuid, 'a')));
  const [one, two, back] = steps.sort((first, second) => second.attempts - first.attempts);
  const message = expect.stringContaining('was still running when its worker stopped');
  const failed = { currentState: 'error', results: { error: { error_type: 'worker_stopped', message } } };
  expect([one, two, back]).toMatchObject([failed, failed, { currentState: 'enqueued', attempts: 0 }]);
});

it('the heartbeat thread exits on its own when it is stopped', async () => {
  const memory = new SharedLoopState();
  memory.turned();
  const file = new URL('../../../dist/bundle/heartbeat-thread-entry.js', import.meta.url);
  const setup = {
    reach: { url: shared.url },
    leaseMs: 60_000,
    boundMs: 60_000,
    memory: memory.buffer,
    form: undefined,
  };
  const thread = new Thread(file, { workerData: setup });
  onTestFinished(() => void thread.terminate());
  let code: number | undefined;
  thread.once('exit', (exit) => (code = exit));
  thread.postMessage({ stop: true });
  await until(
    () => code,
    (exit) => exit === 0,
  );
});
