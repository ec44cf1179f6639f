import { describe, expect, it } from 'vitest';
import type { CreateTaskerOptions } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { createLogger, logDebug, logInfo } from '../../src/logging/log.ts';
import type { Logger } from '../../src/logging/logger.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const ONCE = { retry: { max_attempts: 1 } };
const TWICE = { retry: { max_attempts: 2, backoff: 'none' } };

/** Runs one task with one step and returns the lines that are kept of it. */
async function logsOf(
  run: (context: StepContext) => unknown,
  { step = ONCE, ...options }: CreateTaskerOptions & { step?: Record<string, unknown> } = {},
) {
  const handler = defineHandler('a', {}, async ({ context }) => run(context));
  const { tasker, demo } = await shared.setup({ a: step }, { handlers: [handler], ...options });
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  return { tasker, taskUuid, read: () => tasker.getStepLogs(taskUuid, 'a') };
}

const written = (read: () => ReturnType<Tasker['getStepLogs']>, attempts = 1) =>
  until(read, (logs) => logs.length === attempts);

function fail(): never {
  throw new PermanentError('the bank refused the card');
}

describe('the lines that a handler logs', () => {
  it('are kept for a failed attempt, whichever way they are logged', async () => {
    const { read } = await logsOf((context) => {
      context.logger.info({ order: 7 }, 'charging');
      context.logger.child({ part: 'bank' }).warn('slow answer');
      logInfo('card read', { card: '…42' });
      createLogger({ component: 'pay' }).error('refused');
      context.logger.error(new Error('no money'));
      (context.logger.info as (...args: unknown[]) => void)({ n: 1 }, '%s of %d', 'one', 2);
      fail();
    });
    const [log, ...others] = await written(read);
    expect(others).toEqual([]);
    expect(log).toMatchObject({ attempt: 1, dropped: 0 });
    expect(log!.lines.map(({ level, message, fields }) => [level, message, fields])).toEqual([
      ['info', 'charging', { order: 7 }],
      ['warn', 'slow answer', { part: 'bank' }],
      ['info', 'card read', { card: '…42' }],
      ['error', 'refused', { component: 'pay' }],
      ['error', 'no money', { err: 'Error: no money' }],
      ['info', 'one of 2', { n: 1 }],
    ]);
    expect(Date.now() - Date.parse(log!.lines[0]!.at)).toBeLessThan(60_000);
  });

  it('are kept for failed attempts, but not for an attempt that completes', async () => {
    const { read } = await logsOf(
      (context) => {
        logInfo(`attempt ${context.retryCount}`);
        if (context.retryCount === 0) throw new Error('again');
        return {};
      },
      { step: TWICE },
    );
    const logs = await written(read);
    expect(logs.map(({ attempt, lines }) => [attempt, lines.map(({ message }) => message)])).toEqual([
      [1, ['attempt 0']],
    ]);
  });

  it('are kept for every attempt with stepLogs: all, and for none with stepLogs: none', async () => {
    const logging = (context: StepContext) => {
      logInfo('here');
      if (context.retryCount === 0) throw new Error('again');
      return {};
    };
    const all = await logsOf(logging, { step: TWICE, stepLogs: 'all' });
    expect((await written(all.read, 2)).map(({ attempt }) => attempt)).toEqual([1, 2]);
    const none = await logsOf(logging, { step: TWICE, stepLogs: 'none' });
    await none.tasker.stop();
    expect(await shared.sql('select count(*)::int from tasker.step_log where task_uuid = $1', [none.taskUuid])).toEqual(
      [{ count: 0 }],
    );
  });

  it('are kept from level info, even if the program writes only warnings', async () => {
    const { logger: all, lines } = collectingLogger();
    const logger: Logger = {
      ...all,
      child: () => logger,
      isLevelEnabled: (level) => level === 'warn' || level === 'error',
    };
    const { read } = await logsOf(
      () => {
        logDebug('detail');
        logInfo('fact');
        fail();
      },
      { logger },
    );
    const [log] = await written(read);
    expect(log!.lines.map(({ message }) => message)).toEqual(['fact']);
    expect(lines.map(({ message }) => message)).not.toContain('fact');
  });

  it('are limited to the last 200 lines and 64 KB, and dropped lines are counted', async () => {
    const many = await logsOf(() => {
      for (let i = 0; i < 1_000; i++) logInfo(`line ${i}`);
      fail();
    });
    const [log] = await written(many.read);
    expect(log!.lines).toHaveLength(200);
    expect(log).toMatchObject({
      dropped: 800,
      lines: expect.arrayContaining([expect.objectContaining({ message: 'line 999' })]),
    });
    const large = await logsOf(() => {
      for (let i = 0; i < 20; i++) logInfo('x'.repeat(100_000), { i, more: 'y'.repeat(100_000) });
      fail();
    });
    const [cut] = await written(large.read);
    expect(JSON.stringify(cut).length).toBeLessThan(70_000);
    expect(cut!.lines.length + cut!.dropped).toBe(20);
    expect(cut!.lines.at(-1)).toMatchObject({ fields: { left_out: ['i', 'more'] } });
  });

  it('have their credentials redacted', async () => {
    const { read } = await logsOf(() => {
      logInfo('connecting to https://ann:secret1@bank.example/in?token=secret2', { password: 'secret3', user: 'ann' });
      fail();
    });
    const [log] = await written(read);
    expect(JSON.stringify(log)).not.toMatch(/secret\d/);
    expect(log!.lines[0]!.fields).toMatchObject({ user: 'ann' });
  });

  it('can have any characters, and values that JSON cannot hold', async () => {
    const circle: Record<string, unknown> = { n: 1n };
    circle['self'] = circle;
    const odd = {
      get trap(): string {
        throw new Error('no');
      },
    };
    const { read } = await logsOf((context) => {
      context.logger.info(circle, 'null \0 and \ud800 and 🦊');
      context.logger.info(odd, 'trap');
      fail();
    });
    const [log] = await written(read);
    expect(log!.lines[0]).toMatchObject({
      message: 'null \0 and \ud800 and 🦊',
      fields: { n: '1', self: { self: '[circular]' } },
    });
    expect(log).toMatchObject({ dropped: 1 });
  });

  it('are written before the worker has stopped', async () => {
    const handler = defineHandler('a', {}, async () => {
      logInfo('last words');
      fail();
    });
    const { tasker, demo, another } = await shared.setup({ a: ONCE }, { handlers: [handler] });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await tasker.stop();
    const reader = await another({ worker: false });
    expect(await reader.getStepLogs(taskUuid, 'a')).toMatchObject([{ lines: [{ message: 'last words' }] }]);
  });

  it('do not fail a step when they cannot be written', async () => {
    const { logger, lines } = collectingLogger();
    await shared.sql('alter table tasker.step_log rename to step_log_away');
    try {
      const failing = await logsOf(
        () => {
          logInfo('lost');
          fail();
        },
        { logger },
      );
      await until(
        () => lines,
        (seen) => seen.some(({ message }) => message === 'step logs not written'),
      );
      expect((await failing.tasker.getTask(failing.taskUuid)).status).toBe('blocked_by_failures');
    } finally {
      await shared.sql('alter table tasker.step_log_away rename to step_log');
    }
  });

  it('are found in all steps of a task, in order of time, by a part of their message or fields', async () => {
    const handlers = ['a', 'b'].map((name) =>
      defineHandler(name, {}, async ({ context }) => {
        context.logger.info({ step: name, note: 'He said "Now"' }, `charging ${name}`);
        fail();
      }),
    );
    const { tasker, demo } = await shared.setup({ a: ONCE, b: ONCE }, { handlers });
    const { taskUuid } = await tasker.createTask(demo);
    const { lines, hasEarlier } = await until(
      () => tasker.getTaskLogs(taskUuid),
      (seen) => seen.lines.length === 2,
    );
    expect(hasEarlier).toBe(false);
    expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).sort());
    const found = async (contains: string) =>
      (await tasker.getTaskLogs(taskUuid, { contains })).lines.map(({ step, attempt }) => `${step} ${attempt}`).sort();
    expect(await found('CHARGING')).toEqual(['a 1', 'b 1']);
    expect(await found('charging b')).toEqual(['b 1']);
    expect(await found('said "now"')).toEqual(['a 1', 'b 1']);
    // The level is not searched.
    expect(await found('"info"')).toEqual([]);
    const unknown = '019b0000-0000-7000-8000-000000000000';
    await expect(tasker.getTaskLogs(unknown)).rejects.toMatchObject({ code: 'task_not_found' });
  });

  it('cannot be read for an unknown step', async () => {
    const { tasker, taskUuid } = await logsOf(() => fail());
    await expect(tasker.getStepLogs(taskUuid, 'b')).rejects.toMatchObject({ code: 'step_not_found' });
    expect(await tasker.getStepLogs(taskUuid, 'a')).toEqual([]);
  });
});
