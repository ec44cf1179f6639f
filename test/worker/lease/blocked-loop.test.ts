import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

it('a handler that blocked the event loop is named in the log, the stats and the metrics as soon as it returns', async () => {
  const { logger, lines } = collectingLogger();
  const crunch = defineHandler('crunch', {}, () => {
    block(1_100);
    return { done: true };
  });
  const { tasker, demo } = await shared.setup({ a: { handler: 'crunch' } }, { handlers: [crunch], logger });
  expect(tasker.stats?.loop.blocked).toBeNull();
  const { taskUuid } = await tasker.createTask(demo);
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  const blocked = tasker.stats!.loop.blocked!;
  expect(blocked).toMatchObject({ handler: 'crunch', step: 'a', taskUuid });
  expect(blocked.blockedMs).toBeGreaterThanOrEqual(1_100);
  const metrics = await tasker.metrics.text();
  expect(metrics).toMatch(/^tasker_worker_event_loop_blocked_total\{namespace="\w+",handler="crunch"\} 1$/m);
  expect(metrics).toMatch(/^tasker_worker_event_loop_lag_seconds [\d.e-]+$/m);
  expect(metrics).toMatch(/^tasker_worker_threads\{state="busy"\} 0$/m);
  expect(lines).toContainEqual({
    level: 'warn',
    message: expect.stringMatching(
      /^handler crunch blocked the event loop for \d+ ms, and nothing else .* `isolation: thread` for its step$/,
    ),
    fields: { task_uuid: taskUuid, step: 'a', handler: 'crunch', attempt: 1, blocked_ms: blocked.blockedMs },
  });
});

it('a block of the event loop after a handler has awaited is logged with all running handlers', async () => {
  const { logger, lines } = collectingLogger();
  const later = defineHandler('later', {}, async () => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    block(3_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
    return {};
  });
  const { tasker, demo } = await shared.setup({ a: { handler: 'later' } }, { handlers: [later], logger });
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  await until(
    () => lines.filter(({ message }) => /^the event loop was blocked for \d+ ms: .*; running: later$/.test(message)),
    (found) => found.length > 0,
  );
  expect(tasker.stats?.loop.maxLagMs).toBeGreaterThanOrEqual(1_000);
  expect(tasker.stats?.loop.blocked).toBeNull();
});

/** Runs a program in a separate process, and returns the first line on its standard error that contains `part`. */
function lineOf(text: string, part: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], {
    env: {
      PATH: process.env.PATH ?? '',
      PACKAGE: pathToFileURL('dist/bundle/index.js').href,
      DATABASE_URL: shared.url,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  return new Promise((resolve) => {
    child.stderr.on('data', (data: Buffer) => {
      output += data.toString();
      const line = output.split('\n').find((one) => one.includes(part));
      if (line !== undefined) resolve(line);
    });
  });
}

it('a handler that blocks the event loop forever is named while it blocks', async () => {
  const { tasker, demo } = await shared.setup({ pack: { handler: 'endless' } }, { worker: false });
  const { taskUuid } = await tasker.createTask(demo);
  const line = await lineOf(
    `
    const { createTasker, defineHandler } = await import(process.env.PACKAGE);
    const endless = defineHandler('endless', {}, () => { for (;;); });
    await createTasker({ namespaces: ['${demo.namespace}'], handlers: [endless] });
  `,
    'has been blocking the event loop',
  );
  expect(JSON.parse(line)).toMatchObject({
    level: 40,
    module: 'worker',
    msg: expect.stringMatching(/^handler endless has been blocking the event loop for \d+ ms; nothing else/),
    task_uuid: taskUuid,
    step: 'pack',
    handler: 'endless',
    blocked_ms: expect.any(Number),
  });
});
