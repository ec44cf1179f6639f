import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openClient } from '../../src/app/project/database-admin.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { freshDatabase } from '../support/database.ts';
import { commandsOn } from './page-programs.ts';
import { runProgram, startProgram } from './run-program.ts';

const night = path.resolve('examples/night/night.mjs');
const READY = '60 tasks are blocked for three reasons, 25 wait for a worker, 20 wait for a retry, and 40 are complete';

/** Replaces ids, times, ages, rates, and the width of columns, which differ from run to run. */
function steady(text: string): string {
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/\b[\d.]+ (ms|s|min)( to [\d.]+ (ms|s|min))?(?= ago|\n| {2})/g, 'SPAN')
    .replace(/\bin [\d.]+ min( to [\d.]+ min)?/g, 'in SPAN')
    .replace(/^per minute .*$/m, 'per minute')
    .replace(/ {2,}/g, '  ');
}

describe('the bad-night example', () => {
  let url: string;
  beforeAll(async () => {
    const database = await freshDatabase();
    url = database.url;
    return () => database.drop();
  });
  const cli = (args: string) =>
    runProgram(path.resolve('bin/tasker.js'), {
      args: args.match(/'[^']*'|\S+/g)!.map((arg) => arg.replaceAll("'", '')),
      env: { DATABASE_URL: url },
    });

  it('creates a night on which each command of the runbook prints its documented output', {
    timeout: 90_000,
  }, async () => {
    const program = startProgram(night, { env: { DATABASE_URL: url } });
    await program.waitForOutput(READY);
    const shown = commandsOn('docs/guide/bad-night.md');
    expect(shown.length).toBeGreaterThanOrEqual(3);
    const tasker = await openClient({ databaseUrl: url, logger: silentLogger, mayMake: false, listen: false });
    const { failed } = await tasker.summarizeTasks();
    await tasker.stop();
    expect(failed.groups.map(({ count, errorType }) => [count, errorType])).toEqual([
      [30, 'certificate_expired'],
      [20, 'handler_error'],
      [10, 'template_missing'],
    ]);
    for (const { command, output } of shown) {
      const own = command.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, failed.groups[0]!.taskUuid);
      const ran = await cli(own.replace('npx tasker ', ''));
      expect(ran, command).toMatchObject({ stderr: '', code: 0 });
      expect(steady(ran.stdout), command).toBe(steady(output));
    }
    program.kill('SIGTERM');
    expect(await program.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('rejects a database that has tasks', async () => {
    const again = await runProgram(night, { args: ['--once'], env: { DATABASE_URL: url } });
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toMatch(/this database already has tasks; use an empty database/);
  });

  it('runs repaired workers that finish the ready steps', async () => {
    const program = startProgram(night, { args: ['--fixed'], env: { DATABASE_URL: url } });
    await program.waitForOutput('the repaired workers are running');
    const tasker = await openClient({ databaseUrl: url, logger: silentLogger, mayMake: false, listen: false });
    try {
      const packed = async () => (await tasker.summarizeTasks({ namespace: 'warehouse' })).states;
      await expect.poll(packed, { timeout: 20_000 }).toEqual({ complete: 25 });
    } finally {
      await tasker.stop();
    }
    program.kill('SIGTERM');
    expect((await program.ended).code).toBe(0);
  });
});
