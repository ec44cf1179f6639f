import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { programLogger } from '../../src/app/process/program-logger.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { moduleLogger } from '../../src/logging/module-logger.ts';

const cwd = mkdtempSync(path.join(tmpdir(), 'tasker-logs-'));
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;

/** Returns the lines of a program with these variables that logs one line of each level, including its own warnings. */
function written(env: Record<string, string>, room?: 'worker' | 'db'): string[] {
  const lines: string[] = [];
  const logger = programLogger({ from: { env, cwd }, form: 'json', write: (line) => lines.push(line) });
  const from = room ? moduleLogger(logger, room) : logger;
  for (const level of LEVELS) from[level](`a line of ${level}`);
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg.replace('a line of ', ''));
}

describe('the log level of a program', () => {
  it.each(LEVELS)('is %s if the first of TASKER_LOG, LOG_LEVEL and RUST_LOG that is set has this value', (level) => {
    const expected = LEVELS.slice(LEVELS.indexOf(level));
    expect(written({ TASKER_LOG: level, LOG_LEVEL: 'error', RUST_LOG: 'error' })).toEqual(expected);
    expect(written({ TASKER_LOG: '', LOG_LEVEL: level.toUpperCase(), RUST_LOG: 'error' })).toEqual(expected);
    expect(written({ RUST_LOG: level })).toEqual(expected);
  });

  it('is info by default', () => {
    expect(written({})).toEqual(['info', 'warn', 'error']);
  });

  it('can be set for single parts by a filter, whose level without a name applies to all other parts', () => {
    const env = { RUST_LOG: 'warn,tasker::worker=debug,db=error' };
    expect(written(env, 'worker')).toEqual(['debug', 'info', 'warn', 'error']);
    expect(written(env, 'db')).toEqual(['error']);
    expect(written(env)).toEqual(['warn', 'error']);
    expect(written({ RUST_LOG: 'a=debug,info' })).toEqual([
      expect.stringContaining('unknown module in the log filter: a'),
      'info',
      'warn',
      'error',
    ]);
  });

  it('off disables everything except parts with their own level', () => {
    expect(written({ RUST_LOG: 'off' })).toEqual([]);
    expect(written({ RUST_LOG: 'off,worker=warn' }, 'worker')).toEqual(['warn', 'error']);
    expect(written({ RUST_LOG: 'info,sqlx=off' }, 'db')).toEqual([]);
    expect(written({ RUST_LOG: 'info,sqlx=off' })).toEqual(['info', 'warn', 'error']);
  });

  it.each(['loud', 'worker=loud', '=,=', 'debug=worker=info'])(
    'is info with the invalid filter %j, which is reported once',
    (text) => {
      expect(written({ TASKER_LOG: text })).toEqual(['info', 'warn', 'error']);
      const { warnings } = loadConfig({ env: { TASKER_LOG: text }, cwd });
      expect(warnings).toEqual([
        expect.stringMatching(/^TASKER_LOG: .* is not one of trace, debug, info, warn, error, off/),
      ]);
    },
  );
});
