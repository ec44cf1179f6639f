import { expect, it } from 'vitest';
import { databaseGrants } from '../../src/app/project/database-grants.ts';
import { openSession, type Sql } from '../support/database.ts';
import { ownedDatabase } from '../support/roles.ts';
import { allStatements, planned, preparable } from '../support/statements.ts';

/** Returns the queries of a role. */
async function as(url: string): Promise<Sql> {
  const session = await openSession(url);
  return (text, values) => session.query(text, values).then(({ rows }) => rows);
}

it('a role with the grants may run every statement, except those of migrations', async () => {
  const { owner, createRole } = await ownedDatabase();
  const { role, url } = await createRole();
  await databaseGrants({ databaseUrl: owner.url }, { role, access: 'write', apply: true });
  const statements = preparable(await allStatements());
  expect(await planned(await as(url), statements)).toEqual(['note_migration: permission denied for table migration']);
});
