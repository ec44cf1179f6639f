import path from 'node:path';
import { expect, test } from 'vitest';
import { freshDatabase } from '../support/database.ts';
import { runProgram } from './run-program.ts';

const PROGRAM = path.resolve('examples/csv/import-csv.mjs');

test('examples/csv loses no row and counts no row twice if its worker process is killed halfway', async () => {
  const { url, sql, drop } = await freshDatabase();
  try {
    // Each worker saves three times. The pause is long enough to kill the process between two saves on a busy machine.
    const args = ['--rows', '50000', '--pause', '1000'];
    const ran = await runProgram(PROGRAM, { args, env: { DATABASE_URL: url } });
    expect(ran).toMatchObject({ stderr: '', code: 0 });
    expect(ran.stdout).toMatch(/process \d+ was killed \(kill -9\) at [5-9]\d %/);
    expect(ran.stdout).toMatch(/complete after .* s; [1-9]\d* batches were taken over from the killed process/);
    expect(ran.stdout.match(/ 50,000 rows {4}2,499,952,344 cents$/gm)).toHaveLength(3);
    expect(ran.stdout).toContain('no row was lost or counted twice');
    // The workers of the example write to this table.
    expect(await sql('select count(*)::int batches, sum(row_count)::int as rows from csv_demo_total')).toEqual([
      { batches: 50, rows: 50_000 },
    ]);
  } finally {
    await drop();
  }
});

test('examples/csv reports invalid options', async () => {
  const few = await runProgram(PROGRAM, { args: ['--rows', '10'] });
  expect(few).toMatchObject({
    code: 1,
    stdout: '',
    stderr: 'import-csv: --rows 10: too few rows; at least 20 per worker are required\n',
  });
  const none = await runProgram(PROGRAM, { args: ['--workers', 'many'] });
  expect(none).toMatchObject({ code: 1, stderr: 'import-csv: --workers many: must be a whole number\n' });
});
