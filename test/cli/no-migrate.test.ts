import { beforeAll, describe, expect, it } from 'vitest';
import { PAIR, PAIR_HANDLERS, projectOnDatabase } from './installation.ts';

const on = projectOnDatabase({ 'templates/pair.yaml': PAIR, 'handlers/pair.js': PAIR_HANDLERS });
const REFUSED =
  /^error: postgres:\S+ lacks 1 migration \(0001_\w+\.sql\), and this program does not apply migrations; run `npx tasker db migrate` first\n$/;

/** The last line of standard error. Lines of a worker's log precede it. */
const lastOf = (stderr: string) => `${stderr.trimEnd().split('\n').at(-1)}\n`;

describe('on a database without tables', () => {
  beforeAll(async () => {
    await on.database.sql('drop schema tasker cascade');
  });

  it.each([
    ['worker', []],
    ['server', ['--bind', '127.0.0.1:0']],
  ])(
    '%s --no-migrate exits with 3, and names the pending migrations and the command that applies them',
    async (command, more) => {
      const { code, stdout, stderr } = await on.project.run([command, '--no-migrate', ...more]);
      expect([code, stdout, lastOf(stderr)]).toEqual([3, '', expect.stringMatching(REFUSED)]);
      expect(await on.database.sql(`select to_regnamespace('tasker') schema`)).toEqual([{ schema: null }]);
    },
  );

  it('TASKER_MIGRATE=0 and the configuration do the same for commands that would migrate', async () => {
    const create = ['task', 'create', 'pair'];
    const byVariable = await on.project.run(create, { env: { TASKER_MIGRATE: '0' } });
    expect([byVariable.code, byVariable.stderr]).toEqual([3, expect.stringMatching(REFUSED)]);
    await on.project.write('tasker.toml', '[common.database]\nmigrate = false\n');
    const byFile = await on.project.run(create);
    expect([byFile.code, byFile.stderr]).toEqual([3, expect.stringMatching(REFUSED)]);
    const worker = await on.project.run(['worker']);
    expect([worker.code, lastOf(worker.stderr)]).toEqual([3, expect.stringMatching(REFUSED)]);
    await on.project.write('tasker.toml', '');
  });

  it('worker --no-migrate starts after db migrate', async () => {
    await on.project.json(['db', 'migrate']);
    const worker = on.project.start(['worker', '--no-migrate']);
    await worker.until('worker is ready');
    worker.process.kill('SIGTERM');
    expect(await worker.ended).toMatchObject({ code: 0 });
  });
});
