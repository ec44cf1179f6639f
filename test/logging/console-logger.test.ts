import { expect, it } from 'vitest';
import { consoleLogger } from '../../src/logging/console-logger.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { levelsByRoom, moduleLogger } from '../../src/logging/module-logger.ts';
import { shownText, withoutColors } from '../../src/logging/terminal/shown-text.ts';

function logging(options: { level: string; modules?: Record<string, string>; form?: 'json' | 'lines' }) {
  const lines: string[] = [];
  const logger = consoleLogger({ form: 'json', ...options, write: (line) => lines.push(line) });
  return { logger, lines, entries: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

it('each part of the package can have its own level, more or less detailed than the rest', () => {
  const { logger, entries } = logging({ level: 'info', modules: { 'tasker::worker': 'debug', db: 'warn' } });
  for (const room of ['worker', 'db', 'engine'] as const) {
    moduleLogger(logger, room).debug('debug');
    moduleLogger(logger, room).info('info');
    moduleLogger(logger, room).warn('warn');
  }
  expect(entries().map(({ module, msg }) => `${module} ${msg}`)).toEqual([
    'worker debug',
    'worker info',
    'worker warn',
    'db warn',
    'engine info',
    'engine warn',
  ]);
});

it('child loggers keep the level and the module name of their part', () => {
  const { logger, entries } = logging({ level: 'warn', modules: { handlers: 'trace' } });
  const handlers = moduleLogger(moduleLogger(logger, 'worker'), 'handlers');
  handlers.child({ task_uuid: 't-1' }).trace('row read');
  expect(entries()).toMatchObject([{ module: 'handlers', task_uuid: 't-1', msg: 'row read' }]);
  expect(handlers.isLevelEnabled!('trace')).toBe(true);
  expect(moduleLogger(logger, 'worker').isLevelEnabled!('info')).toBe(false);
});

it('module names of the original system are accepted, and an unknown name is ignored with one warning', () => {
  expect(
    levelsByRoom({
      'tasker_worker::event_system': 'debug',
      'tasker-orchestration': 'trace',
      sqlx: 'error',
      hyper: 'warn',
      'tower::buffer': 'warn',
    }),
  ).toEqual({ rooms: { worker: 'debug', engine: 'trace', db: 'error' }, unknown: ['hyper', 'tower::buffer'] });
  expect(levelsByRoom({ tasker_core: 'debug', 'tasker_core::db': 'warn' }).rooms).toMatchObject({
    worker: 'debug',
    engine: 'debug',
    db: 'warn',
  });
  const { entries } = logging({ level: 'info', modules: { hyper: 'debug', tower: 'debug' } });
  expect(entries()).toMatchObject([
    {
      level: 40,
      msg: expect.stringMatching(/^unknown module in the log filter: hyper, tower; the modules are app, .*worker$/),
    },
  ]);
});

it('a logger without modules is used unchanged', () => {
  expect(moduleLogger(silentLogger, 'worker')).toBe(silentLogger);
});

it('no line contains credentials', () => {
  const { logger, entries } = logging({ level: 'info' });
  logger.child({ api_key: 'k', tenant: 'acme' }).info({ password: 'p', nested: { token: 't' }, n: 1 }, 'm');
  logger.error({ err: new Error('no host in postgres://ada:pw@db/shop') }, 'e');
  logger.error(new TypeError('x'));
  expect(entries()).toMatchObject([
    { api_key: '[redacted]', tenant: 'acme', password: '[redacted]', nested: { token: '[redacted]' }, n: 1 },
    { err: { type: 'Error', message: 'no host in postgres://ada:[redacted]@db/shop', stack: expect.any(String) } },
    { err: { type: 'TypeError' }, msg: 'x' },
  ]);
  expect(JSON.stringify(entries())).not.toContain('pw@');
});

it('readable lines have time, level, message and fields', () => {
  const { logger, lines } = logging({ level: 'debug', form: 'lines' });
  moduleLogger(logger, 'worker').info({ task_uuid: 't-1', n: 2 }, 'task complete');
  expect(withoutColors(lines[0]!)).toMatch(/^\d\d:\d\d:\d\d info {2}task complete task_uuid=t-1 n=2$/);
});

it('readable lines omit a correlation id that repeats the task id, and JSON lines keep it', () => {
  const plain = logging({ level: 'info', form: 'lines' });
  for (const id of ['t-1', 'c-9']) plain.logger.info({ task_uuid: 't-1', correlation_id: id }, 'task complete');
  expect(plain.lines.map((line) => line.includes('correlation_id'))).toEqual([false, true]);
  const json = logging({ level: 'info' });
  json.logger.info({ task_uuid: 't-1', correlation_id: 't-1' }, 'task complete');
  expect(json.entries()).toMatchObject([{ correlation_id: 't-1' }]);
});

it('readable lines escape control characters, and the line breaks of their fields', () => {
  const { logger, lines } = logging({ level: 'info', form: 'lines' });
  logger.child({ by: 'eve\n12:00:00 error  forged' }).info({ error: '\u001b[2J' }, 'task \u202ecomplete');
  expect(shownText(lines[0]!)).toContain('task \\u202ecomplete');
  expect(withoutColors(lines[0]!)).toContain('by=eve\\n12:00:00 error  forged error=\\u001b[2J');
});
