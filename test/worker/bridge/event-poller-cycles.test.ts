import { expect, it, onTestFinished, vi } from 'vitest';
import { EventNames, EventPoller, setLogger, silentLogger, TaskerEventEmitter } from '../../../src/index.ts';
import { OwnModule, stepEvent } from '../../support/step-events.ts';

it('a poller delivers at most maxEventsPerCycle events per cycle, and the remaining events in the next cycles', async () => {
  vi.useFakeTimers();
  setLogger(silentLogger);
  const module = new OwnModule();
  const emitter = new TaskerEventEmitter();
  const poller = new EventPoller(module, emitter, { maxEventsPerCycle: 3, pollingIntervalMs: 10 });
  onTestFinished(async () => {
    vi.useRealTimers();
    setLogger(undefined);
    await poller.stop();
  });
  module.events.push(...Array.from({ length: 7 }, () => stepEvent()));
  const cycles: number[] = [];
  emitter.on(EventNames.POLLER_CYCLE_COMPLETE, ({ eventsProcessed }) => cycles.push(eventsProcessed));
  poller.start();
  await vi.advanceTimersByTimeAsync(100);
  expect(cycles).toEqual([3, 3, 1]);
});
