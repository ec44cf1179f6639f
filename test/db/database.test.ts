import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Database, InDoubtError } from '../../src/db/database.ts';
import { opening } from '../../src/db/opening.ts';
import type { Statement } from '../../src/db/statement.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startProxy } from '../support/crash/proxy.ts';
import { freshDatabase, type Sql } from '../support/database.ts';
import { fakePostgres } from '../support/fake-postgres.ts';
import { deferred } from '../support/setup.ts';

let url: string;
let sql: Sql;
let drop: () => Promise<void>;
const warnings: string[] = [];
process.on('warning', ({ message }) => warnings.push(message));
beforeAll(async () => {
  ({ url, sql, drop } = await freshDatabase());
  await sql('create table word (word text primary key, n int not null default 1 check (n > 0))');
});
afterAll(() => drop());

const ADD: Statement = { name: 'add', text: 'insert into word (word) values ($1) returning word' };
const BREAK: Statement = { name: 'break', text: 'insert into word (word, n) values ($1, 0)' };

async function open(at = url, more: { pipeline?: boolean } = {}): Promise<Database> {
  const database = await Database.connect({ url: at, poolSize: 2, logger: silentLogger, ...more });
  onTestFinished(() => database.close());
  return database;
}

const words = async (like: string) =>
  (await sql<{ word: string }>('select word from word where word like $1 order by 1', [`${like}%`])).map(
    (row) => row.word,
  );

describe.each([true, false])('a transaction in one round trip (pipelined: %s)', (pipeline) => {
  const tag = pipeline ? 'p' : 'q';

  it('commits, and returns the result of its work', async () => {
    const database = await open(url, { pipeline });
    const added = await database.pipeline(opening({ work_mem: '1MB' }), async (tx) => {
      const answers = await Promise.all([tx.query<{ word: string }>(ADD, [`${tag}1a`]), tx.query(ADD, [`${tag}1b`])]);
      return answers[0].rows[0]!.word;
    });
    expect(added).toBe(`${tag}1a`);
    expect(await words(`${tag}1`)).toEqual([`${tag}1a`, `${tag}1b`]);
  });

  it('rolls back as a whole with the error of the statement that fails, and keeps the connection usable', async () => {
    const database = await open(url, { pipeline });
    for (let i = 0; i < 5; i++) {
      const failing = database.pipeline(opening(), (tx) =>
        Promise.all([tx.query(ADD, [`${tag}2a`]), tx.query(BREAK, [`${tag}2b`]), tx.query(ADD, [`${tag}2c`])]),
      );
      await expect(failing).rejects.toMatchObject({ code: '23514', constraint: 'word_n_check' });
    }
    await database.pipeline(opening(), (tx) => tx.query(ADD, [`${tag}2d`]));
    expect(await words(`${tag}2`)).toEqual([`${tag}2d`]);
  });

  it('rejects if the server responds to COMMIT with ROLLBACK even though the work caught the error', async () => {
    const database = await open(url, { pipeline });
    const swallowing = database.pipeline(opening(), async (tx) => {
      await Promise.allSettled([tx.query(BREAK, [`${tag}3`]), tx.query(ADD, [`${tag}3`])]);
      return 'all is well';
    });
    await expect(swallowing).rejects.toMatchObject({ code: '23514' });
    expect(await words(`${tag}3`)).toEqual([]);
  });

  it('resets its settings at its end', async () => {
    const database = await open(url, { pipeline });
    const show: Statement = { name: 'show', text: `select current_setting('work_mem') as value` };
    const inside = await database.pipeline(opening({ work_mem: '3MB' }), (tx) => tx.query<{ value: string }>(show));
    expect(inside.rows[0]!.value).toBe('3MB');
    expect((await database.query<{ value: string }>(show)).rows[0]!.value).not.toBe('3MB');
  });
});

it('the driver prints no warnings about its use', () => {
  expect(warnings).toEqual([]);
});

describe('a transaction whose COMMIT gets no response', () => {
  it.each([
    ['answer_lost', ['d1']],
    ['lost', []],
  ] as const)('rejects with record_in_doubt whether or not it was committed (%s)', async (fate, there) => {
    await sql(`delete from word where word = 'd1'`);
    const proxy = await startProxy(url);
    const database = await open(proxy.url);
    await database.query(ADD, [`before ${fate}`]);
    proxy.decide = (sent) => (sent.includes('commit') ? fate : undefined);
    const doubtful = database.pipeline(opening(), (tx) => tx.query(ADD, ['d1']));
    await expect(doubtful).rejects.toBeInstanceOf(InDoubtError);
    await expect(doubtful).rejects.toMatchObject({ code: 'record_in_doubt' });
    proxy.decide = () => undefined;
    expect(await words('d1')).toEqual(there);
    await database.query(ADD, [`after ${fate}`]);
  });
});

describe('a transaction of several round trips', () => {
  it('sees its own writes and commits at the end', async () => {
    const database = await open();
    const count: Statement = { name: 'count', text: `select count(*)::int n from word where word like 't1%'` };
    const n = await database.transaction(opening(), async (tx) => {
      await tx.query(ADD, ['t1a']);
      return (await tx.query<{ n: number }>(count)).rows[0]!.n;
    });
    expect(n).toBe(1);
    expect(await words('t1')).toEqual(['t1a']);
  });

  it('rolls back if its work throws any value', async () => {
    const database = await open();
    const failing = database.transaction(opening(), async (tx) => {
      await tx.query(ADD, ['t2']);
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await words('t2')).toEqual([]);
    await Promise.all([1, 2, 3, 4].map((i) => database.query(ADD, [`t2 ${i}`])));
  });

  it.each([true, false])('rejects statements after it has failed (pipelined: %s)', async (pipeline) => {
    const proxy = await startProxy(url);
    const database = await open(proxy.url, { pipeline });
    await database.query(ADD, [`before ${pipeline}`]);
    proxy.inPieces = true; // an error arrives before the server is ready for the next statement
    const tag = pipeline ? 't5' : 't6';
    const [late, over] = [deferred(), deferred<unknown>()];
    const failing = database.transaction(opening(), async (tx) => {
      void late.promise.then(() => tx.query(ADD, [`${tag} late`])).catch(over.resolve);
      await Promise.all([tx.query(BREAK, [tag]), ...['a', 'b', 'c'].map((word) => tx.query(ADD, [`${tag} ${word}`]))]);
    });
    await expect(failing).rejects.toMatchObject({ code: '23514' });
    late.resolve();
    expect(await over.promise).toMatchObject({
      message: 'statement sent after the end of its transaction; await all statements before the transaction ends',
    });
    await database.query(ADD, [`after ${tag}`]);
    expect(await words(tag)).toEqual([]);
    expect(warnings.filter((message) => /already executing/.test(message))).toEqual([]);
  });

  it('rejects if the server responds to COMMIT with ROLLBACK', async () => {
    const database = await open();
    const swallowing = database.transaction(opening(), async (tx) => {
      await tx.query(BREAK, ['t3']).catch(() => 'swallowed');
    });
    await expect(swallowing).rejects.toMatchObject({
      code: 'database_error',
      message: 'the transaction was rolled back',
    });
    await database.query(ADD, ['t3 after']);
  });

  it('rejects and changes nothing if its connection is lost', async () => {
    const database = await open();
    const lost = database.transaction(opening(), async (tx) => {
      await tx.query(ADD, ['t4']);
      await tx.query({ name: 'die', text: 'select pg_terminate_backend(pg_backend_pid())' });
      await tx.query(ADD, ['t4 after']);
    });
    await expect(lost).rejects.toThrow();
    expect(await words('t4')).toEqual([]);
    await database.query(ADD, ['t4 later']);
  });
});

describe('values', () => {
  it('int8 and its arrays are returned as numbers, and jsonb as text', async () => {
    const database = await open();
    const { rows } = await database.query({
      name: 'types',
      text: `select 9007199254740991::int8 big, -1::int8 minus, '{1,-2,9007199254740991}'::int8[] list, '{}'::int8[] none,
                    null::int8 nothing, '{"a": 1}'::jsonb object, '[1]'::json plain, count(*) counted from (values (1), (2)) v`,
    });
    expect(rows).toEqual([
      {
        big: Number.MAX_SAFE_INTEGER,
        minus: -1,
        list: [1, -2, Number.MAX_SAFE_INTEGER],
        none: [],
        nothing: null,
        object: '{"a": 1}',
        plain: '[1]',
        counted: 2,
      },
    ]);
  });
});

describe('exclusive work', () => {
  it('runs for one caller after another', async () => {
    const [one, two] = [await open(), await open()];
    let inside = 0;
    let most = 0;
    await Promise.all(
      [one, two, one, two].map((database) =>
        database.exclusively(4711, async (session) => {
          most = Math.max(most, ++inside);
          await session.query({ name: 'nap', text: 'select pg_sleep(0.01)' });
          inside--;
        }),
      ),
    );
    expect(most).toBe(1);
  });

  it('continues with the next caller if it throws', async () => {
    const database = await open();
    await expect(database.exclusively(4712, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await database.exclusively(4712, () => Promise.resolve('in'))).toBe('in');
  });
});

describe('a connection', () => {
  it('is rejected with both versions in the message if the server is too old', async () => {
    await expect(open(await fakePostgres({ kind: 'version', number: '140013' }))).rejects.toMatchObject({
      code: 'database_too_old',
      message: expect.stringMatching(/127\.0\.0\.1:\d+\/shop is PostgreSQL 14; tasker-core requires 15 or later/),
    });
  });

  it('never shows the password in an error', async () => {
    const refusing = await fakePostgres({ kind: 'refuses', code: '28P01', message: 'password authentication failed' });
    const refused = open(refusing);
    await expect(refused).rejects.toMatchObject({ code: 'database_unreachable' });
    await expect(refused).rejects.toThrow(/ada:\*\*\*@127.*the server rejected the user or password/);
    await expect(refused).rejects.not.toThrow('secret');
    expect((await open()).place).not.toContain(new URL(url).password);
  });

  it('that is lost while idle is replaced', async () => {
    const database = await open();
    await database.query(ADD, ['idle 1']);
    await sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );
    const again = async (): Promise<void> => {
      try {
        await database.query(ADD, ['idle 2']);
      } catch {
        await database.query(ADD, ['idle 2']);
      }
    };
    await again();
    expect(await words('idle')).toEqual(['idle 1', 'idle 2']);
  });

  it('that is closed rejects statements, and can be closed again', async () => {
    const database = await open();
    await database.close();
    await database.close();
    await expect(database.query(ADD, ['x'])).rejects.toMatchObject({ code: 'stopped' });
    await expect(database.pipeline(opening(), (tx) => tx.query(ADD, ['x']))).rejects.toMatchObject({ code: 'stopped' });
    await expect(database.transaction(opening(), async () => 1)).rejects.toMatchObject({ code: 'stopped' });
  });
});
