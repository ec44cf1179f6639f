import { expect, it, onTestFinished } from 'vitest';
import { openClient } from '../../../src/app/project/database-admin.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { freshDatabase } from '../../support/database.ts';
import { age, checkForStale } from '../../support/lifecycle.ts';
import { installation, PAIR } from '../installation.ts';

it('task list --stale lists the tasks that exceed a limit of their lifecycle, and task get shows the limit', async () => {
  const [place, database] = await Promise.all([installation(), freshDatabase()]);
  onTestFinished(async () => void (await Promise.all([place.remove(), database.drop()])));
  const project = await place.project('limits', { DATABASE_URL: database.url });
  await project.write('templates/pair.yaml', `${PAIR}lifecycle: { max_waiting_for_dependencies_minutes: 5 }\n`);
  const id = await project.create('pair');
  expect(await project.json(['task', 'list', '--stale'])).toMatchObject({ tasks: [], total: 0 });

  await age(database.sql, 6, id);
  const tasker = await openClient({ databaseUrl: database.url, logger: silentLogger, mayMake: false, listen: false });
  await checkForStale(tasker).finally(() => tasker.stop());
  const time = expect.stringMatching(/^20/);
  const stale = { rule: 'max_waiting_for_dependencies_minutes', minutes: 5, since: time, at: time };
  expect(await project.json(['task', 'list', '--stale'])).toMatchObject({ tasks: [{ task_uuid: id, stale }] });
  expect(await project.json(['task', 'get', id])).toMatchObject({ status: 'pending', stale });
  const { stdout } = await project.run(['task', 'get', id]);
  expect(stdout).toMatch(/stale +exceeds max_waiting_for_dependencies_minutes \(5\), counted from 20/);
  const why = await project.run(['task', 'why', id]);
  expect(why.stdout).toContain('it is stale: no progress since 20');
  expect(await project.json(['status'])).toMatchObject({ attention: { stale: 1 } });

  // The note of the check is still stored.
  await project.run(['task', 'cancel', id]);
  expect(await project.json(['task', 'list', '--stale'])).toMatchObject({ tasks: [], total: 0 });
  expect(await project.json(['task', 'summary', '--stale'])).toMatchObject({ templates: [] });
  expect(await project.json(['task', 'list', '--stale', '--ended'])).toMatchObject({ tasks: [], total: 0 });
  expect(await project.json(['status'])).toMatchObject({ attention: { stale: 0 } });
});
