import { describe, expect, it, onTestFinished } from 'vitest';
import { freshDatabase, type Sql } from './support/database.ts';
import { ownMigrations, type Program, programWith } from './support/program.ts';

const own = ownMigrations();
const names = Object.keys(own);
const nextId = String(names.length + 1).padStart(4, '0');

/** Returns a migration of a later version. */
const later = (text: string, { serves }: { serves: number }) => ({
  ...own,
  [`${nextId}_later.sql`]: `-- serves: ${serves}\n${text}`,
});

const OK = { code: 'ok', message: '' };
const runs = (program: Program, url: string) => program.connect(url);
const applied = async (sql: Sql) =>
  (await sql<{ name: string }>('select name from tasker.migration order by id')).map((row) => row.name);

/** Creates an empty database, which is dropped after the test. */
async function emptyDatabase(): Promise<{ url: string; sql: Sql }> {
  const { url, sql, drop } = await freshDatabase();
  onTestFinished(drop);
  await sql('drop schema tasker cascade');
  return { url, sql };
}

describe('the schema', () => {
  it('is created in an empty database once, and does not change when a program connects again', async () => {
    const { url, sql } = await emptyDatabase();
    const program = programWith(own);
    expect(await runs(program, url)).toEqual(OK);
    const first = await sql('select * from tasker.migration');
    expect(await applied(sql)).toEqual(names);

    expect(await runs(program, url)).toEqual(OK);
    expect(await sql('select * from tasker.migration')).toEqual(first);
  });

  it('is created once by five programs that start at the same time', async () => {
    const { url, sql } = await emptyDatabase();
    const program = programWith(own);
    const ends = await Promise.all(Array.from({ length: 5 }, () => runs(program, url)));
    expect(ends).toEqual([OK, OK, OK, OK, OK]);
    expect(await applied(sql)).toEqual(names);
  });

  it('is rejected if it was created by a different migration', async () => {
    const { url } = await emptyDatabase();
    const [first = ''] = names;
    const edited = programWith({ ...own, [first]: `${own[first]}\n-- edited after its release\n` });
    expect(await runs(edited, url)).toEqual(OK);

    const end = await runs(programWith(own), url);
    expect(end.code).toBe('schema_changed');
    expect(end.message).toContain(first);
  });

  it('can be used by an older program if the later migration allows it', async () => {
    const { url, sql } = await emptyDatabase();
    const newer = programWith(later('create table tasker.later (id int);', { serves: 1 }));
    expect(await runs(newer, url)).toEqual(OK);
    expect(await applied(sql)).toEqual([...names, `${nextId}_later.sql`]);
    expect(await runs(programWith(own), url)).toEqual(OK);
  });

  it('cannot be used by an older program that the later migration excludes, whose error suggests an upgrade', async () => {
    const { url } = await emptyDatabase();
    const newer = programWith(later('create table tasker.later (id int);', { serves: names.length + 1 }));
    expect(await runs(newer, url)).toEqual(OK);

    const end = await runs(programWith(own), url);
    expect(end.code).toBe('schema_too_new');
    expect(end.message).toContain('upgrade tasker-core');
  });

  it('is unchanged after a failed migration, which runs again once it is fixed', async () => {
    const { url, sql } = await emptyDatabase();
    const broken = programWith(later('create table tasker.half (id int);\nselect 1 / 0;', { serves: 1 }));
    const end = await runs(broken, url);
    expect(end).toEqual({ code: 'database_error', message: `migration ${nextId}_later.sql: division by zero` });
    expect(await applied(sql)).toEqual(names);
    expect(await sql(`select to_regclass('tasker.half') as half`)).toEqual([{ half: null }]);

    const mended = programWith(later('create table tasker.half (id int);', { serves: 1 }));
    expect(await runs(mended, url)).toEqual(OK);
    expect(await applied(sql)).toEqual([...names, `${nextId}_later.sql`]);
  });

  it('is the same in a checkout with Windows line endings', async () => {
    const { url } = await emptyDatabase();
    expect(await runs(programWith(own), url)).toEqual(OK);
    const windows = Object.entries(own).map(([name, text]) => [name, text.replaceAll('\n', '\r\n')] as const);
    expect(await runs(programWith(Object.fromEntries(windows)), url)).toEqual(OK);
  });
});
