import { expect, it, onTestFinished } from 'vitest';
import { ShutdownController } from '../../src/app/process/shutdown-controller.ts';
import { setLogger } from '../../src/logging/log.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';

it('a shutdown waits for the first trigger and ignores a second trigger', async () => {
  const shutdown = new ShutdownController();
  expect([shutdown.isRequested, shutdown.signal]).toEqual([false, null]);
  shutdown.trigger('SIGTERM');
  shutdown.trigger('SIGINT');
  await shutdown.promise;
  expect([shutdown.isRequested, shutdown.signal]).toEqual([true, 'SIGTERM']);
});

it('shutdown handlers run one after the other, and the failure of one is logged without stopping the others', async () => {
  const { logger, lines } = collectingLogger();
  setLogger(logger);
  onTestFinished(() => setLogger(undefined));
  const shutdown = new ShutdownController();
  const ran: string[] = [];
  shutdown.onShutdown(async () => {
    await Promise.resolve();
    ran.push('first');
  });
  shutdown.onShutdown(() => {
    throw new Error('the cache is gone');
  });
  shutdown.onShutdown(() => void ran.push('third'));
  await expect(shutdown.executeHandlers()).resolves.toBeUndefined();
  expect(ran).toEqual(['first', 'third']);
  expect(lines).toMatchObject([
    { level: 'error', message: 'shutdown handler failed', fields: { error: 'the cache is gone' } },
  ]);
});

it('a reset restores the initial state', async () => {
  const shutdown = new ShutdownController();
  shutdown.trigger('SIGTERM');
  shutdown.reset();
  expect([shutdown.isRequested, shutdown.signal]).toEqual([false, null]);
  const first = await Promise.race([shutdown.promise.then(() => 'requested'), Promise.resolve('waiting')]);
  expect(first).toBe('waiting');
  shutdown.trigger('again');
  await shutdown.promise;
});

it('a reset removes the handlers, but a shutdown in progress still runs the remaining handlers', async () => {
  const shutdown = new ShutdownController();
  const ran: string[] = [];
  shutdown.onShutdown(() => shutdown.reset());
  shutdown.onShutdown(() => void ran.push('of before'));
  await shutdown.executeHandlers();
  expect(ran).toEqual(['of before']);
  await shutdown.executeHandlers();
  expect(ran).toEqual(['of before']);
  shutdown.onShutdown(() => void ran.push('of after'));
  await shutdown.executeHandlers();
  expect(ran).toEqual(['of before', 'of after']);
});
