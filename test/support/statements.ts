import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Sql } from './database.ts';

const PRINTS = path.resolve('test/support/suite/print-statements.mjs');
/** The other statements cannot be prepared, such as `lock table`, or their text is composed for each call. */
const PREPARABLE = /^(?:\s|--.*\n)*(?:with|select|insert|update|delete|merge|values)\b/i;

/** A statement of the package. */
export interface Printed {
  name: string;
  text: string;
}

/** Prepares statements, and plans them with parameters that are null. Returns the errors, in one round trip. */
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

/** Returns all statements of the built package. */
export async function allStatements(): Promise<Printed[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [PRINTS], { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout) as Printed[];
}

/** Returns the statements that can be prepared. */
export function preparable(statements: readonly Printed[]): Printed[] {
  return statements.filter(({ text }) => PREPARABLE.test(text));
}

/** Plans statements, which the server also checks for rights. Returns the problems, each with the name of its statement. */
export async function planned(sql: Sql, statements: readonly Printed[]): Promise<string[]> {
  await sql(PLAN_ALL);
  const [row] = await sql<{ problems: string[] }>('select pg_temp.plan_all($1) problems', [JSON.stringify(statements)]);
  return row!.problems;
}
