import pino from 'pino';
import { expect, it, onTestFinished, vi } from 'vitest';
import { defineHandler, type Logger } from '../../src/index.ts';
import { loggerOf } from '../../src/logging/any-logger.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

/** Returns a logger that throws for every line, as on a full disk. */
function throwing(): Logger {
  const fail = () => {
    throw new Error('the disk is full');
  };
  return { trace: fail, debug: fail, info: fail, warn: fail, error: fail, child: () => throwing() };
}

function warnings(): unknown[] {
  const seen: unknown[] = [];
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void seen.push(String(warning)));
  onTestFinished(() => spy.mockRestore());
  return seen;
}

it('a logger that throws neither fails a step nor loses a result, and is reported once', async () => {
  const warned = warnings();
  const ran: string[] = [];
  const handler = (name: string) =>
    defineHandler(name, {}, ({ context }) => {
      ran.push(name);
      context.logger.info('here');
    });
  const { tasker, demo } = await shared.setup(
    { a: [], b: ['a'], c: ['b'] },
    { handlers: ['a', 'b', 'c'].map(handler), logger: throwing() },
  );
  const { taskUuid } = await tasker.createTask(demo);
  expect(await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).toMatchObject({ status: 'complete' });
  expect(ran).toEqual(['a', 'b', 'c']);
  expect(tasker.stats).toMatchObject({ processed: 3, refused: 0, unrecorded: 0 });
  expect(warned).toEqual(['the configured logger throws, so log lines may be missing: the disk is full']);
});

it('a guarded logger keeps the members, the level and the child fields of the given logger', () => {
  const lines: Record<string, unknown>[] = [];
  const given = pino({ level: 'info', base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const logger = loggerOf(given) as typeof given;
  logger.debug('unseen');
  expect(logger.isLevelEnabled!('debug')).toBe(false);
  given.level = 'debug';
  expect(logger.isLevelEnabled!('debug')).toBe(true);
  logger.child({ app: 'shop' }).debug({ a: 1 }, 'seen');
  logger.fatal('gone');
  expect(lines).toMatchObject([
    { msg: 'seen', app: 'shop', a: 1 },
    { msg: 'gone', level: 60 },
  ]);
});

it('a logger whose isLevelEnabled or child throws is still usable', () => {
  warnings();
  const logger = loggerOf({
    ...silentLogger,
    isLevelEnabled: () => {
      throw new Error('no');
    },
    child: () => {
      throw new Error('no');
    },
  });
  expect(logger.isLevelEnabled!('debug')).toBe(true);
  expect(logger.child({ app: 'shop' })).toBe(logger);
  expect(loggerOf(logger)).toBe(logger);
  expect(loggerOf(silentLogger)).toBe(silentLogger);
});
