import { describe, expect, it } from 'vitest';
import * as orm from '../../src/orm/index.ts';

const ADAPTERS = Object.entries({ ...orm }) as [string, (transaction: unknown) => unknown][];

describe.each(ADAPTERS)('%s', (name, adapter) => {
  it.each([undefined, null, 7, 'tx', {}, []])('rejects %j, and names what to pass', (value) => {
    const error = expect.objectContaining({
      code: 'bad_request',
      message: expect.stringMatching(new RegExp(`^${name} got an object without .*; pass the \\w+ of `)),
    });
    expect(() => adapter(value)).toThrow(error as Error);
  });
});

describe('an adapter', () => {
  it('runs statements of the caller too', async () => {
    const calls: unknown[] = [];
    const tx = {
      isTransaction: true as const,
      executeQuery: async (query: never) => {
        calls.push(query);
        return { rows: [{ a: 1 }] };
      },
      withoutPlugins: () => tx,
    };
    const client = orm.fromKysely(tx);
    expect(await client.query('select $1::int a', [1])).toEqual({ rows: [{ a: 1 }], rowCount: 1 });
    expect(calls).toMatchObject([{ sql: 'select $1::int a', parameters: [1] }]);
  });

  it('of Knex replaces the parameters, and keeps question marks', async () => {
    const calls: unknown[] = [];
    const client = orm.fromKnex({
      raw: async (...call: unknown[]) => void calls.push(call),
      isCompleted: () => false,
    });
    expect(await client.query('select $2, $1, $2 ? a', ['a', 'b'])).toEqual({ rows: [], rowCount: 0 });
    expect(calls).toEqual([['select ?, ?, ? \\? a', ['b', 'a', 'b']]]);
  });
});
