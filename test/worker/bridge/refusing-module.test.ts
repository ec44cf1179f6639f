import { expect, it, onTestFinished } from 'vitest';
import {
  defineHandler,
  HandlerRegistry,
  StepExecutionSubscriber,
  setLogger,
  TaskerEventEmitter,
} from '../../../src/index.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { OwnModule, stepEvent } from '../../support/step-events.ts';

it('if a module rejects both the result and the failure of a step, both are logged and the next step runs', async () => {
  const { logger, lines } = collectingLogger();
  setLogger(logger);
  const registry = new HandlerRegistry();
  registry.register(defineHandler('greet', {}, () => ({ big: true })));
  const emitter = new TaskerEventEmitter();
  const module = new OwnModule();
  const subscriber = new StepExecutionSubscriber(emitter, registry, module, { workerId: 'w-1' });
  subscriber.start();
  onTestFinished(async () => {
    setLogger(undefined);
    await subscriber.stop({ drainTimeoutMs: 50 });
  });
  const send = module.completeStepEvent.bind(module);
  let refused = 0;
  module.completeStepEvent = (eventId, result) =>
    ++refused <= 2 ? (Promise.reject(new Error(`refusal ${refused}`)) as never) : send(eventId, result);
  emitter.emitStepReceived(stepEvent());
  await subscriber.waitForCompletion();
  const errors = lines.filter(({ level }) => level === 'error').map(({ message }) => message);
  expect(errors).toEqual([
    expect.stringContaining('was rejected: refusal 1'),
    expect.stringContaining('could not be sent either: refusal 2'),
  ]);
  emitter.emitStepReceived(stepEvent());
  await subscriber.waitForCompletion();
  expect(module.results.map(({ result }) => result.success)).toEqual([true]);
});
