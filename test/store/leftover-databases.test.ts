import { expect, it, onTestFinished } from 'vitest';
import { leftoverDatabases } from '../../src/store/server/databases.ts';
import { setup } from '../support/setup.ts';

it('a database is left over if its name has the prefix and no session uses the database', async () => {
  const { tasker, url, sql } = await setup({ worker: false });
  const used = new URL(url).pathname.slice(1);
  const unused = `${used}_unused`;
  await sql(`create database ${unused} template template0`);
  onTestFinished(async () => {
    await sql(`drop database ${unused}`);
  });
  const { database } = tasker.engine;
  expect(await leftoverDatabases(database, used)).toEqual([unused]);
  // As a LIKE pattern, this prefix would match.
  expect(await leftoverDatabases(database, used.replace('test_', '%_'))).toEqual([]);
});
