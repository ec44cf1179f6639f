import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { DEMO, invariants, itOnce, setup, template, until } from '../support/setup.ts';
import { threadHandlers } from '../support/thread-handlers.ts';

/** With PROVE, blocks for the documented time with the default lease; otherwise for twice a shorter lease. */
const [BLOCKED_MS, LEASE_MS] = process.env.PROVE ? [60_000, 30_000] : [6_000, 3_000];

const WORKER = `
  import { writeSync } from 'node:fs';
  const { createTasker, defineHandler } = await import(process.env.PACKAGE);
  const handlers = [
    defineHandler('blocks', {}, () => {
      writeSync(1, 'begins\\n');
      for (const end = performance.now() + ${BLOCKED_MS}; performance.now() < end; );
      writeSync(1, 'ends\\n');
      return {};
    }),
    defineHandler('waits', {}, async () => {
      writeSync(1, 'waits\\n');
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      return {};
    }),
  ];
  await createTasker({ namespaces: ['test'], handlers, leaseMs: ${LEASE_MS}, name: 'slow' });
`;

/** Starts a worker in its own process. Returns its output, with times from the clock of this process. */
function startSlow(databaseUrl: string): { word: string; at: number }[] {
  const child = spawn(process.execPath, ['--input-type=module', '-e', WORKER], {
    env: {
      PATH: process.env.PATH ?? '',
      PACKAGE: pathToFileURL('dist/bundle/index.js').href,
      DATABASE_URL: databaseUrl,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output: { word: string; at: number }[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (word) => output.push({ word, at: performance.now() }));
  }
  return output;
}

describe(`a handler that blocks for ${BLOCKED_MS / 1_000} s`, () => {
  itOnce(
    'a handler that blocks the event loop is named in the log, and no step is lost',
    async () => {
      const neighbor = { ...DEMO, name: 'neighbor' };
      const { tasker, sql, url, another } = await setup({
        templates: [template({ blocks: [] }), template({ waits: [] }, { name: 'neighbor' })],
        worker: false,
      });
      const output = startSlow(url);
      const heard = (word: string) => output.filter((one) => one.word.includes(word));
      const neighbors = await tasker.createTasks(Array.from({ length: 20 }, () => neighbor));
      await until(
        () => heard('waits').length,
        (count) => count === 20,
        60_000,
      );
      const { taskUuid } = await tasker.createTask(DEMO);
      await until(
        () => heard('begins').length,
        (count) => count === 1,
      );
      // This worker would take lost steps.
      const taken: string[] = [];
      const take = (name: string) => defineHandler(name, {}, () => void taken.push(name));
      await another({ worker: true, handlers: ['blocks', 'waits'].map(take), leaseMs: LEASE_MS, name: 'other' });
      await until(
        () => heard('ends').length,
        (count) => count === 1,
        3 * BLOCKED_MS,
      );
      for (const each of [...neighbors.map((task) => task.taskUuid), taskUuid]) {
        await tasker.waitForTask(each, { timeoutMs: 60_000, throwOnFailure: true });
      }
      expect(taken).toEqual([]);
      expect(heard('waits')).toHaveLength(20);
      expect(await sql('select distinct attempts from tasker.step')).toEqual([{ attempts: 1 }]);
      const [line] = heard('handler blocks has been blocking the event loop');
      const [begun, ended] = [heard('begins')[0]!, heard('ends')[0]!];
      expect(line!.at).toBeLessThan(ended.at);
      if (process.env.PROVE) console.log(`named ${Math.round(line!.at - begun.at)} ms after it began to block`);
      await invariants(sql);
    },
    300_000,
  );

  itOnce(
    'a handler that blocks its thread is terminated at its timeout, and other steps are not affected',
    async () => {
      const { logger, lines } = collectingLogger();
      const { tasker, sql } = await setup({
        templates: [
          template({
            spins: {
              handler: { callable: 'spins', isolation: 'thread' },
              timeout_seconds: BLOCKED_MS / 6_000,
              retry: { retryable: false },
            },
          }),
          template({ sleeps: [] }, { name: 'neighbor' }),
        ],
        handlers: threadHandlers(),
        threads: 1,
        leaseMs: LEASE_MS,
        logger,
      });
      const { taskUuid } = await tasker.createTask(DEMO);
      await until(
        () => tasker.stats!.threads.busy,
        (busy) => busy === 1,
      );
      const { taskUuid: beside } = await tasker.createTask({ ...DEMO, name: 'neighbor' });
      expect((await tasker.waitForTask(beside, { timeoutMs: 20_000 })).status).toBe('complete');
      expect(tasker.stats!.threads.busy).toBe(1);
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: 2 * BLOCKED_MS + 20_000 })).status).toBe(
        'blocked_by_failures',
      );
      expect(await tasker.getStep(taskUuid, 'spins')).toMatchObject({
        currentState: 'error',
        attempts: 1,
        results: { error: { error_type: 'timeout' } },
      });
      await until(
        () => tasker.stats!.threads,
        ({ busy }) => busy === 0,
      );
      expect(lines.filter(({ message }) => message.startsWith('handler spins blocked'))).toEqual([]);
      await invariants(sql);
    },
    300_000,
  );
});
