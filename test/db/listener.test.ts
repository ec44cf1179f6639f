import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import { Database } from '../../src/db/database.ts';
import { Listener } from '../../src/db/listener.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { freshDatabase } from '../support/database.ts';
import { DEMO, template, until } from '../support/setup.ts';

let here: Awaited<ReturnType<typeof freshDatabase>>;
let elsewhere: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  [here, elsewhere] = [await freshDatabase(), await freshDatabase()];
});
afterAll(async () => {
  await here.drop();
  await elsewhere.drop();
});

async function listen({ directUrl }: { directUrl?: string } = {}) {
  const { logger, lines } = collectingLogger();
  const database = await Database.connect({ url: here.url, directUrl, poolSize: 2, logger });
  const heard: string[] = [];
  let catchUps = 0;
  const events = {
    onNotify: (channel: string, payload: string) => void heard.push(`${channel}: ${payload}`),
    onCatchUp: () => void catchUps++,
  };
  const listener = new Listener(database, ['one', 'two'], events, logger);
  await listener.start();
  onTestFinished(async () => {
    await listener.stop();
    await database.close();
  });
  return { listener, database, heard, lines, catchUps: () => catchUps };
}

const notify = (channel: string, payload: string) => here.sql('select pg_notify($1, $2)', [channel, payload]);
const cutAll = () =>
  here.sql(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );

it('a listener receives only notifications of its channels, and reports that they arrive', async () => {
  const { listener, heard, catchUps } = await listen();
  await notify('three', 'x');
  await notify('one', 'a');
  await notify('two', '');
  await until(
    () => heard.length,
    (count) => count === 2,
  );
  expect(heard).toEqual(['one: a', 'two: ']);
  expect(listener.hears).toBe(true);
  expect(catchUps()).toBe(1);
});

it('a listener reconnects when its connection is lost, and reports that notifications may be missing', async () => {
  const { listener, heard, catchUps } = await listen();
  await until(
    () => listener.hears,
    (hears) => hears,
  );
  for (let times = 2; times <= 3; times++) {
    await cutAll();
    await until(catchUps, (count) => count === times);
    await until(
      () => listener.hears,
      (hears) => hears,
    );
    await notify('one', `after ${times}`);
    await until(
      () => heard.at(-1),
      (last) => last === `one: after ${times}`,
    );
  }
});

it('a stopped listener receives nothing and does not reconnect', async () => {
  const { listener, heard, catchUps } = await listen();
  await listener.stop();
  await notify('one', 'x');
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect([heard, catchUps(), listener.hears]).toEqual([[], 1, false]);
});

it('a listener behind a transaction pooler warns once that it receives nothing, and polling finds the work', async () => {
  // Notifications stay within a database, so a listener on another database receives none.
  const { listener, lines, database } = await listen({ directUrl: elsewhere.url });
  const stopped = await listen({ directUrl: elsewhere.url });
  await stopped.listener.stop();

  const options = { databaseUrl: here.url, migrate: false, logger: silentLogger, poolSize: 3 };
  const creator = await createTasker({ ...options, templates: template({ a: [] }) });
  const handlers = [defineHandler('a', {}, () => ({}))];
  const deaf = await createTasker({ ...options, databaseDirectUrl: elsewhere.url, namespaces: ['test'], handlers });
  onTestFinished(async () => void (await Promise.all([creator.stop(), deaf.stop()])));
  const { taskUuid } = await creator.createTask(DEMO);
  expect((await creator.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');

  const warnings = () => lines.filter((line) => line.message.includes('no notifications received'));
  await until(
    () => warnings().length,
    (count) => count === 1,
  );
  expect(warnings()[0]!.message).toContain('set DATABASE_DIRECT_URL');
  expect(listener.hears).toBe(false);
  await database.query({ name: 'still', text: 'select 1' });
  // A listener that was stopped before the warning was due logs nothing.
  expect(stopped.lines).toEqual([]);
});

it('a listener retries with increasing delays while the server refuses connections', async () => {
  const { listener, lines, catchUps } = await listen();
  await until(
    () => listener.hears,
    (hears) => hears,
  );
  const name = new URL(here.url).pathname.slice(1);
  await elsewhere.sql(`alter database ${name} with allow_connections false`);
  await cutAll();
  await until(
    () => lines.filter((line) => line.message.startsWith('LISTEN connection failed')).length,
    (count) => count >= 2,
  );
  expect(listener.hears).toBe(false);
  await elsewhere.sql(`alter database ${name} with allow_connections true`);
  await until(catchUps, (count) => count === 2);
});
