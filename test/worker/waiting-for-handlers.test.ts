import { expect, it, onTestFinished, vi } from 'vitest';
import { type Engine, KIND } from '../../src/engine/engine.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import type { DispatchedStep } from '../../src/worker/dispatched-step.ts';
import { ActiveRegistries, MissingHandlers } from '../../src/worker/unrunnable-steps.ts';
import { until } from '../support/setup.ts';

const stepOf = (handlerName: string, templateIdx: number) =>
  ({
    name: handlerName,
    handlerName,
    templateIdx,
    handler: { callable: handlerName, resolver: null, method: null },
    template: { handler: { callable: handlerName, resolver: null } },
    task: { snapshot: { id: 1, template: { namespace: 'test' } } },
  }) as unknown as DispatchedStep;

/** An engine that knows whether another worker announces a handler. */
const engineWith = (isAnnounced: (callable: string) => boolean) =>
  ({
    announcedElsewhere: ({ callable }: { callable: string }) =>
      Promise.resolve({
        own: 'this',
        tried: [],
        workers: isAnnounced(callable) ? [{ instance: 'other', ability: 'has' }] : [],
      }),
  }) as unknown as Engine;

const common = {
  registries: new ActiveRegistries(new HandlerRegistry()),
  workerId: () => 1,
  waits: true,
  excludeForMs: 600_000,
  run: () => {},
};

it('a worker queries once per round for all waiting steps that lack the same handler', async () => {
  const queried: string[] = [];
  const released: DispatchedStep[] = [];
  let served = false;
  const missing = new MissingHandlers(
    {
      ...common,
      engine: engineWith((entry) => {
        queried.push(entry);
        return served;
      }),
      graceMs: 600_000,
      end: ({ kind, step }) => kind === KIND.released && released.push(step),
    },
    silentLogger,
  );
  onTestFinished(() => missing.stop());
  const steps = [stepOf('charge', 0), stepOf('refund', 1), stepOf('charge', 0), stepOf('charge', 2)];
  for (const step of steps) missing.add(step);
  // There is a query when a step arrives.
  expect(queried.sort()).toEqual(['charge', 'charge', 'charge', 'refund']);
  served = true;
  await until(
    () => released.length,
    (count) => count === steps.length,
  );
  expect(queried.slice(4).sort()).toEqual(['charge', 'refund']);
  expect(missing.excluded()).toEqual([1n << 32n, (1n << 32n) | 1n, (1n << 32n) | 2n]);
});

it('steps that arrive after handlers were registered wait for the whole grace period', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const withheld: DispatchedStep[] = [];
  const missing = new MissingHandlers(
    {
      ...common,
      engine: engineWith(() => false),
      graceMs: 300,
      end: ({ missed, step }) => missed && withheld.push(step),
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
  expect(withheld).toEqual([before]);
  await vi.advanceTimersByTimeAsync(600);
  expect(withheld).toEqual([before, after]);
});
