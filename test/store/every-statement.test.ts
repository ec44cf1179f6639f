import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, inject, it } from 'vitest';
import { HOT, NOT_HOT } from '../../bench/hot-statements.mjs';
import { freshDatabase } from '../support/database.ts';

const PRINTS = path.resolve('test/support/suite/print-statements.mjs');
/** The other statements cannot be prepared, such as `lock table`, or their text is composed for each call. */
const PREPARABLE = /^(?:\s|--.*\n)*(?:with|select|insert|update|delete|merge|values)\b/i;

interface Printed {
  name: string;
  text: string;
}

/** Prepares and plans statements. Returns the errors, in one round trip. */
const PLAN_ALL = `
  create function pg_temp.plan_all(statements jsonb) returns text[] language plpgsql as $$
    declare one record; problems text[] = '{}'; parameters text;
    begin
      set local plan_cache_mode = force_generic_plan;
      for one in select * from jsonb_to_recordset(statements) as s (name text, text text) loop
        begin
          execute 'prepare tried as ' || one.text;
          select '(' || string_agg('null', ', ') || ')' into parameters
            from pg_prepared_statements, unnest(parameter_types) where name = 'tried';
          execute 'explain execute tried' || coalesce(parameters, '');
        exception when others then
          -- Tables that a transaction or the test kit creates.
          if sqlerrm not in ('relation "tasker_queue_kept" does not exist', 'relation "tasker.kit_clock" does not exist') then
            problems = problems || (one.name || ': ' || sqlerrm);
          end if;
        end;
        deallocate all;
      end loop;
      return problems;
    end $$`;

it(`PostgreSQL ${inject('postgres')} accepts and plans every statement`, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [PRINTS], { maxBuffer: 2 ** 26 });
  const printed = JSON.parse(stdout) as Printed[];
  expect([...new Set(printed.map(({ name }) => name))].sort()).toEqual([...HOT, ...Object.keys(NOT_HOT)].sort());
  const preparable = printed.filter(({ text }) => PREPARABLE.test(text));
  expect(preparable.length).toBeGreaterThan(0.9 * printed.length);
  const { sql, drop } = await freshDatabase();
  try {
    await sql(PLAN_ALL);
    const broken = { name: 'broken', text: 'select no_such_column from tasker.task' };
    const [row] = await sql('select pg_temp.plan_all($1) problems', [JSON.stringify([...preparable, broken])]);
    // The last statement is invalid, to show that the check finds a problem.
    expect(row).toEqual({ problems: ['broken: column "no_such_column" does not exist'] });
  } finally {
    await drop();
  }
});
