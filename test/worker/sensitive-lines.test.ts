import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { logInfo } from '../../src/logging/log.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';
import { threadHandlers } from '../support/thread-handlers.ts';

const shared = sharedDatabase();
const CARD = '4111 1111 1111 1111';
const TOKEN = 'tok_93842';
const TASK: Record<string, unknown> = { sensitive: ['card.number'] };
const ONCE = { retry: { max_attempts: 1 } };
const context = { card: { number: CARD, brand: 'visa' } };

/** Runs a step after another one, and returns the written and the kept log lines. */
async function linesOf(run: (context: StepContext) => unknown, { task = TASK, first = { sensitive: ['token'] } } = {}) {
  const { logger, lines } = collectingLogger();
  const { tasker, demo } = await shared.setup(
    { first, second: { dependencies: ['first'], ...ONCE } },
    {
      handlers: [
        defineHandler('first', {}, () => ({ token: TOKEN, id: 'plain' })),
        defineHandler('second', {}, ({ context }) => run(context)),
      ],
      logger,
      stepLogs: 'all',
      task,
    },
  );
  const { taskUuid } = await tasker.createTask({ ...demo, context });
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const [kept] = await until(
    () => tasker.getStepLogs(taskUuid, 'second'),
    (logs) => logs.length === 1,
  );
  return { tasker, taskUuid, written: JSON.stringify(lines), kept: JSON.stringify(kept!.lines) };
}

it("a handler's log lines contain no sensitive values of the context or of earlier results", async () => {
  const { written, kept } = await linesOf((context) => {
    const { token } = context.getDependencyResult('first') as { token: string };
    context.logger.info({ input: context.inputData, token }, `paying with ${CARD}`);
    context.logger.child({ card: CARD }).warn(`token=${token}`);
    logInfo(`by function ${CARD}`, { token });
    return {};
  });
  for (const text of [written, kept]) {
    expect([text.includes(CARD), text.includes(TOKEN)]).toEqual([false, false]);
    for (const shown of ['visa', 'paying with [redacted]', 'token=[redacted]', 'by function [redacted]']) {
      expect(text).toContain(shown);
    }
  }
});

it('the log line of a failure contains no sensitive value, but the stored error has the whole message', async () => {
  const { tasker, taskUuid, written, kept } = await linesOf((context) => {
    context.logger.error({ err: new Error(`refused ${CARD}`) });
    throw new PermanentError(`the bank refused ${CARD}`);
  });
  expect([written.includes(CARD), kept.includes(CARD)]).toEqual([false, false]);
  expect(written).toContain('the bank refused [redacted]');
  expect((await tasker.getStep(taskUuid, 'second')).results!.error!.message).toBe(`the bank refused ${CARD}`);
});

it('lines of a template without sensitive values are written as they are', async () => {
  const fields = { input: context, at: new Date(0) };
  const run = ({ logger }: StepContext) => {
    logger.info(fields, `paying with ${CARD}`);
    return {};
  };
  const { written } = await linesOf(run, { task: {}, first: {} as { sensitive: string[] } });
  expect(written).toContain(`paying with ${CARD}`);
  expect(written).toContain(JSON.stringify(fields.input));
});

it('log lines of a handler in a thread contain no sensitive values', async () => {
  const { logger, lines } = collectingLogger();
  const { tasker, demo } = await shared.setup(
    { a: { handler: { callable: 'logs_and_fails', isolation: 'thread' }, ...ONCE } },
    { handlers: threadHandlers(), threads: 1, logger, task: { sensitive: ['said'] } },
  );
  const { taskUuid } = await tasker.createTask({ ...demo, context: { said: 'from a thread' } });
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  expect(lines.map(({ message }) => message)).toContain('[redacted]');
  expect(JSON.stringify(lines)).not.toContain('from a thread');
});
