import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { expect, it, onTestFinished } from 'vitest';
import {
  defineHandler,
  EventNames,
  EventPoller,
  HandlerRegistry,
  StepExecutionSubscriber,
} from '../../../src/index.ts';
import { OwnModule, stepEvent } from '../../support/step-events.ts';

type Copy = typeof import('../../../src/worker/bridge/event-bridge.ts') &
  typeof import('../../../src/worker/bridge/event-emitter.ts');

/** Returns the bridge and emitter of a second copy of the package in the same process, such as the copy of a plugin. */
async function anotherCopy(): Promise<Copy> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'tasker-copy-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(path.resolve('node_modules'), path.join(folder, 'node_modules'), 'junction');
  const outfile = path.join(folder, 'copy.mjs');
  const files = ['event-bridge', 'event-emitter'];
  const contents = files.map((file) => `export * from './src/worker/bridge/${file}.ts';`).join('\n');
  await esbuild.build({
    stdin: { contents, resolveDir: process.cwd() },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    // Bundled CommonJS packages would need `require`.
    packages: 'external',
    logLevel: 'error',
  });
  return (await import(pathToFileURL(outfile).href)) as Copy;
}

it('a poller and a subscriber work with the emitter of another copy of the package', async () => {
  const { TaskerEventEmitter } = await anotherCopy();
  const [module, emitter] = [new OwnModule(), new TaskerEventEmitter()];
  const registry = new HandlerRegistry();
  registry.register(
    'greet',
    defineHandler('greet', {}, () => ({ greeting: 'hello' })),
  );
  const completed: string[] = [];
  emitter.on(EventNames.STEP_EXECUTION_COMPLETED, ({ result }) => completed.push(JSON.stringify(result.result)));
  const subscriber = new StepExecutionSubscriber(emitter, registry, module);
  const poller = new EventPoller(module, emitter, { pollingIntervalMs: 5 });
  onTestFinished(async () => {
    await poller.stop();
    await subscriber.stop();
  });
  subscriber.start();
  module.events.push(stepEvent());
  poller.start();
  await expect.poll(() => completed).toEqual(['{"greeting":"hello"}']);
});

it('a subscriber receives and publishes events on the bridge of another copy of the package', async () => {
  const { EventBridge } = await anotherCopy();
  const bridge = new EventBridge();
  const registry = new HandlerRegistry();
  bridge.start();
  const registered: string[] = [];
  bridge.subscribe(EventNames.HANDLER_REGISTERED, (name) => registered.push(name));
  const subscriber = new StepExecutionSubscriber(bridge, registry);
  onTestFinished(() => subscriber.stop());
  subscriber.start();
  expect(bridge.listenerCount(EventNames.STEP_EXECUTION_RECEIVED)).toBe(1);
  registry.register(
    'greet',
    defineHandler('greet', {}, () => ({})),
  );
  expect(registered).toEqual(['greet']);
  await subscriber.stop();
  expect(bridge.listenerCount(EventNames.STEP_EXECUTION_RECEIVED)).toBe(0);
});
