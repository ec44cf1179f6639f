import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { programLogger } from '../../src/app/process/program-logger.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { moduleLogger } from '../../src/logging/module-logger.ts';

const cwd = mkdtempSync(path.join(tmpdir(), 'tasker-logs-'));
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;

/** What a program with these variables writes of a line of each level, and of how many warnings of its own. */
function written(env: Record<string, string>, room?: 'worker' | 'db'): string[] {
  const lines: string[] = [];
  const logger = programLogger({ from: { env, cwd }, form: 'json', write: (line) => lines.push(line) });
  const from = room ? moduleLogger(logger, room) : logger;
  for (const level of LEVELS) from[level](`a line of ${level}`);
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg.replace('a line of ', ''));
}

describe('what a program logs', () => {
  it.each(LEVELS)('from %s on, by TASKER_LOG, LOG_LEVEL or RUST_LOG, the first of them that is set', (level) => {
    const expected = LEVELS.slice(LEVELS.indexOf(level));
    expect(written({ TASKER_LOG: level, LOG_LEVEL: 'error', RUST_LOG: 'error' })).toEqual(expected);
    expect(written({ TASKER_LOG: '', LOG_LEVEL: level.toUpperCase(), RUST_LOG: 'error' })).toEqual(expected);
    expect(written({ RUST_LOG: level })).toEqual(expected);
  });

  it('is info and above when nothing is said', () => {
    expect(written({})).toEqual(['info', 'warn', 'error']);
  });

  it('by a filter is more or less of some parts; the level without a name is for the rest', () => {
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

  it('by off is nothing, but for the parts that have a level of their own', () => {
    expect(written({ RUST_LOG: 'off' })).toEqual([]);
    expect(written({ RUST_LOG: 'off,worker=warn' }, 'worker')).toEqual(['warn', 'error']);
    expect(written({ RUST_LOG: 'info,sqlx=off' }, 'db')).toEqual([]);
    expect(written({ RUST_LOG: 'info,sqlx=off' })).toEqual(['info', 'warn', 'error']);
  });

  it.each(['loud', 'worker=loud', '=,=', 'debug=worker=info'])(
    'by the filter %j is told once, and is no crash',
    (text) => {
      expect(written({ TASKER_LOG: text })).toEqual(['info', 'warn', 'error']);
      const { warnings } = loadConfig({ env: { TASKER_LOG: text }, cwd });
      expect(warnings).toEqual([
        expect.stringMatching(/^TASKER_LOG: .* is not one of trace, debug, info, warn, error, off/),
      ]);
    },
  );
});
