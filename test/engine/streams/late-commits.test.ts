import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { LateCommits } from '../../../src/engine/streams/late-commits.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';

it('a task of an open transaction is reported after its commit, and the search for it stops after a rollback', async () => {
  const { tasker, url } = await setup({ templates: template({ one: [] }), worker: false });
  const clients = [new pg.Client({ connectionString: url }), new pg.Client({ connectionString: url })];
  onTestFinished(async () => void (await Promise.all(clients.map((client) => client.end()))));
  const found: string[] = [];
  let looks = 0;
  const { database } = tasker.engine;
  const counting = {
    query: (...args: Parameters<typeof database.query>) => {
      looks++;
      return database.query(...args);
    },
  } as typeof database;
  const late = new LateCommits(counting, silentLogger, (taskUuid) => found.push(taskUuid));
  onTestFinished(() => late.stop());
  // These transactions have greater numbers than every transaction that has ended.
  const [kept, dropped] = await Promise.all(
    clients.map(async (client) => {
      await client.connect();
      await client.query('begin');
      const { taskUuid } = await tasker.createTask(DEMO, { client });
      late.watch(taskUuid);
      return taskUuid;
    }),
  );
  for (let i = 0; i < 3; i++) {
    const before = looks;
    await tasker.createTask(DEMO);
    await until(
      () => looks,
      (now) => now > before,
    );
  }
  expect(found).toEqual([]);
  await clients[1]!.query('rollback');
  await clients[0]!.query('commit');
  await until(
    () => found,
    (all) => all.includes(kept!),
  );
  expect(found).not.toContain(dropped);
  // Open transactions in other databases of the server delay the end of the search.
  await until(
    () => late.size,
    (left) => left === 0,
    60_000,
  );
});
