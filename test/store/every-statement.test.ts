import { expect, inject, it } from 'vitest';
import { HOT, NOT_HOT } from '../../bench/hot-statements.mjs';
import { freshDatabase } from '../support/database.ts';
import { allStatements, planned, preparable } from '../support/statements.ts';

it(`PostgreSQL ${inject('postgres')} accepts and plans every statement`, async () => {
  const printed = await allStatements();
  expect([...new Set(printed.map(({ name }) => name))].sort()).toEqual([...HOT, ...Object.keys(NOT_HOT)].sort());
  const statements = preparable(printed);
  expect(statements.length).toBeGreaterThan(0.9 * printed.length);
  const { sql, drop } = await freshDatabase();
  try {
    const broken = { name: 'broken', text: 'select no_such_column from tasker.task' };
    // The last statement is invalid, to show that the check finds a problem.
    expect(await planned(sql, [...statements, broken])).toEqual(['broken: column "no_such_column" does not exist']);
  } finally {
    await drop();
  }
});
