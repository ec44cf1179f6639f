import { Console } from 'node:console';
import { Writable } from 'node:stream';
import pino from 'pino';
import { describe, expect, it } from 'vitest';
import winston from 'winston';
import { type AnyLogger, defineHandler, logInfo, setLogger } from '../../src/index.ts';
import { loggerOf } from '../../src/logging/any-logger.ts';
import { sharedDatabase } from '../support/shared-database.ts';

/** Returns a stream that keeps its lines. */
function kept(): { stream: Writable; lines(): string[] } {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return { stream, lines: () => text.split('\n').filter((line) => line !== '') };
}

const winstonTo = (stream: Writable, options: winston.LoggerOptions = {}) =>
  winston.createLogger({
    level: 'debug',
    format: winston.format.json(),
    transports: [new winston.transports.Stream({ stream })],
    ...options,
  });

describe('a given logger', () => {
  const shared = sharedDatabase();

  const ship = defineHandler('ship', {}, ({ context }) => {
    context.logger.info({ parcels: 2 }, 'packed');
    logInfo('sent', { order_id: 'O-7' });
  });

  async function linesOf(logger: AnyLogger): Promise<string> {
    const { tasker, demo } = await shared.setup({ ship: [] }, { handlers: [ship], logger });
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    await tasker.stop();
    return taskUuid;
  }

  it.each([
    ['pino', (stream: Writable): AnyLogger => pino({ messageKey: 'message' }, stream)],
    ['winston', (stream: Writable): AnyLogger => winstonTo(stream, { level: 'info' })],
    [
      'a child of winston',
      (stream: Writable): AnyLogger => winstonTo(stream, { level: 'info' }).child({ app: 'shop' }),
    ],
  ])('receives each line with its message and fields if it is %s', async (_name, make) => {
    const { stream, lines } = kept();
    const taskUuid = await linesOf(make(stream));
    const written = lines().map((line) => JSON.parse(line) as Record<string, unknown>);
    const ids = { task_uuid: taskUuid, correlation_id: taskUuid, step: 'ship', attempt: 1 };
    expect(written).toContainEqual(expect.objectContaining({ message: 'packed', parcels: 2, ...ids }));
    expect(written).toContainEqual(expect.objectContaining({ message: 'sent', order_id: 'O-7', ...ids }));
    expect(written).toContainEqual(
      expect.objectContaining({ message: 'task complete', task_uuid: taskUuid, correlation_id: taskUuid }),
    );
    expect(written.filter(({ level }) => level === 'debug' || level === 20)).toEqual([]);
  });

  it('receives the same lines from level info on if it is console', async () => {
    const { stream, lines } = kept();
    const taskUuid = await linesOf(new Console(stream));
    const text = lines().join('\n');
    expect(text).toMatch(new RegExp(`^packed \\{[^}]*task_uuid: '${taskUuid}'[^}]*parcels: 2`, 'm'));
    expect(text).toMatch(/^task complete \{/m);
    expect(text).not.toContain('step claimed');
  });

  it('receives each transition of a step with its ids at level debug', async () => {
    const { stream, lines } = kept();
    const taskUuid = await linesOf(winstonTo(stream));
    const steps = lines()
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ level, task_uuid }) => level === 'debug' && task_uuid === taskUuid);
    expect(steps.map(({ message, state, correlation_id }) => [message, state, correlation_id])).toEqual([
      ['step claimed', 'in_progress', taskUuid],
      ['step complete', 'complete', taskUuid],
    ]);
  });
});

describe('a logger that takes the message first', () => {
  it('reports the levels that winston enables, and reports level debug of console as disabled', () => {
    const { stream } = kept();
    const logger = loggerOf(winstonTo(stream, { level: 'warn' }));
    expect(['trace', 'debug', 'info', 'warn', 'error'].map((level) => logger.isLevelEnabled!(level))).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(loggerOf(console).isLevelEnabled!('debug')).toBe(false);
  });

  it('can lack functions for some levels, and receives errors as fields', () => {
    const written: unknown[][] = [];
    const write = (...line: unknown[]) => void written.push(line);
    const logger = loggerOf({ error: write, warn: write, info: write }).child({ app: 'shop' });
    logger.trace('unseen');
    logger.debug({ a: 1 }, 'unseen');
    logger.info('ready');
    const error = new Error('refused');
    logger.error(error);
    logger.warn({ sku: 'MUG' }, 'stock is low');
    expect(written).toEqual([
      ['ready', { app: 'shop' }],
      ['refused', { app: 'shop', error }],
      ['stock is low', { app: 'shop', sku: 'MUG' }],
    ]);
  });

  it('works with the log functions', () => {
    const written: unknown[][] = [];
    const write = (...line: unknown[]) => void written.push(line);
    setLogger({ error: write, warn: write, info: write });
    logInfo('order processed', { order_id: '123', password: 'p' });
    logInfo('done');
    setLogger(undefined);
    expect(written).toEqual([['order processed', { order_id: '123', password: '[redacted]' }], ['done']]);
  });

  it('keeps its message next to a field named message', () => {
    const { stream, lines } = kept();
    loggerOf(winstonTo(stream)).error({ message: 'mine', code: 7 }, 'it broke');
    expect(JSON.parse(lines()[0]!)).toMatchObject({ message: 'it broke', code: 7, level: 'error' });
  });
});
