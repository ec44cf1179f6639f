import { expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { grantFacts, grantStatements, runGrants } from '../../src/store/server/grants.ts';
import { type Access, missingDefaultRights, missingRights } from '../../src/store/server/rights.ts';
import { ownedDatabase } from '../support/roles.ts';

it.each<Access>(['write', 'read'])('after the grants for %s, a role lacks nothing on this server', async (access) => {
  const { owner, createRole } = await ownedDatabase();
  const { role } = await createRole();
  const database = await Database.connect({ url: owner.url, poolSize: 1, logger: silentLogger });
  onTestFinished(() => database.close());
  expect(await missingRights(database, owner.role, access)).toEqual([]);
  expect(await missingDefaultRights(database, owner.role)).toEqual([]);
  const before = await missingRights(database, role, access);
  expect(before[0]).toEqual({ kind: 'schema', name: 'tasker', privileges: ['usage'] });
  expect(await missingDefaultRights(database, role)).toEqual([owner.role]);

  await runGrants(database, grantStatements(await grantFacts(database, role), { access, missing: before }));
  expect(await missingRights(database, role, access)).toEqual([]);
  expect(await missingDefaultRights(database, role)).toEqual(access === 'write' ? [] : [owner.role]);
  expect((await missingRights(database, role, 'write')).length === 0).toBe(access === 'write');
});
