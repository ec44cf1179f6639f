import { expect, it, onTestFinished } from 'vitest';
import { Schema } from '../../src/db/schema.ts';
import { UserTransactions } from '../../src/db/user-transactions.ts';
import { emptyDatabase } from '../support/database.ts';
import { deferred, until } from '../support/setup.ts';

/** Timeout for opening a connection. A transaction may have to wait longer for its turn. */
const PATIENCE_MS = 100;

async function transactions(max: number, patienceMs = 30_000) {
  const { url, sql, drop } = await emptyDatabase();
  const transactions = new UserTransactions(new Schema(), {
    connectionString: url,
    max,
    connectionTimeoutMillis: patienceMs,
  });
  onTestFinished(async () => {
    await transactions.close();
    await drop();
  });
  return { transactions, sql };
}

it('user transactions wait for their connection in order of arrival and without a timeout', async () => {
  const { transactions: all } = await transactions(1, PATIENCE_MS);
  // A slow machine may exceed the timeout when it opens the one connection that all transactions use.
  const opened = () => all.run(async () => true).catch(() => false);
  await until(opened, (open) => open);
  const [started, gate] = [deferred(), deferred()];
  const order: number[] = [];
  const run = (n: number, until?: Promise<void>) =>
    all.run(async () => {
      order.push(n);
      started.resolve();
      await until;
    });
  const first = run(0, gate.promise);
  await started.promise;
  const others = [1, 2, 3].map((n) => run(n));
  await new Promise((resolve) => setTimeout(resolve, 3 * PATIENCE_MS));
  gate.resolve();
  await Promise.all([first, ...others]);
  expect(order).toEqual([0, 1, 2, 3]);
});

it('a transaction that fails leaves its connection usable for the next one', async () => {
  const { transactions: all } = await transactions(1);
  for (let i = 0; i < 3; i++) {
    await expect(all.run(({ client }) => client.query('select 1 / 0'))).rejects.toMatchObject({ code: '22012' });
    const lost = all.run(({ client }) => client.query('select pg_terminate_backend(pg_backend_pid())'));
    await expect(lost).rejects.toMatchObject({ code: '57P01' });
  }
  expect(await all.run(async ({ client }) => (await client.query('select 1 as one')).rows)).toEqual([{ one: 1 }]);
});
