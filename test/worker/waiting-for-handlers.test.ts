import { expect, it, onTestFinished, vi } from 'vitest';
import { silentLogger } from '../../src/logging/logger.ts';
import type { HeldStep } from '../../src/worker/held-step.ts';
import { MissingHandlers } from '../../src/worker/missing-handlers.ts';
import { until } from '../support/setup.ts';

const stepOf = (handlerName: string, templateIdx: number) =>
  ({
    name: handlerName,
    handlerName,
    templateIdx,
    template: { handler: { resolver: null } },
    task: { snapshot: { id: 1, template: { namespace: 'test' } } },
  }) as unknown as HeldStep;

it('a worker asks once in each round for all waiting steps that lack the same handler', async () => {
  const asked: string[] = [];
  const givenBack: HeldStep[] = [];
  let served = false;
  const missing = new MissingHandlers(
    {
      graceMs: 600_000,
      excludeForMs: 600_000,
      servedElsewhere: (step) => {
        asked.push(step.handlerName);
        return Promise.resolve(served);
      },
      mayRun: () => false,
      whyMissing: () => '',
      run: () => {},
      giveBack: (step) => givenBack.push(step),
      fail: () => {},
    },
    silentLogger,
  );
  onTestFinished(() => missing.stop());
  const steps = [stepOf('charge', 0), stepOf('refund', 1), stepOf('charge', 0), stepOf('charge', 2)];
  for (const step of steps) missing.add(step);
  // Each is asked for when it comes.
  expect(asked.sort()).toEqual(['charge', 'charge', 'charge', 'refund']);
  served = true;
  await until(
    () => givenBack.length,
    (count) => count === steps.length,
  );
  expect(asked.slice(4).sort()).toEqual(['charge', 'refund']);
  expect(missing.excluded()).toEqual([1n << 32n, (1n << 32n) | 1n, (1n << 32n) | 2n]);
});

it('steps that come after handlers were registered wait the whole grace period for theirs', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const failed: HeldStep[] = [];
  const missing = new MissingHandlers(
    {
      graceMs: 300,
      excludeForMs: 600_000,
      servedElsewhere: () => Promise.resolve(false),
      mayRun: () => false,
      whyMissing: () => '',
      run: () => {},
      giveBack: () => {},
      fail: (step) => failed.push(step),
    },
    silentLogger,
  );
  onTestFinished(() => missing.stop());
  const [before, after] = [stepOf('charge', 0), stepOf('charge', 0)];
  missing.add(before);
  await vi.advanceTimersByTimeAsync(200);
  missing.refresh();
  missing.add(after);
  await vi.advanceTimersByTimeAsync(290);
  expect(failed).toEqual([before]);
  await vi.advanceTimersByTimeAsync(600);
  expect(failed).toEqual([before, after]);
});
