import { expect, it, onTestFinished } from 'vitest';
import { ChangeLog } from '../../../src/engine/streams/change-log.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { uuidV7 } from '../../../src/model/ids.ts';
import { openSession } from '../../support/database.ts';
import { setup, template, until } from '../../support/setup.ts';

async function bench(alone: boolean) {
  const made = await setup({ templates: template({ one: [] }), worker: false, searchEnabled: false });
  const log = new ChangeLog(made.tasker.engine.database, silentLogger, { alone });
  onTestFinished(() => log.stop());
  /** The lists of tasks in the log. */
  const rows = async () =>
    (await made.sql<{ tasks: string[] }>('select tasks from tasker.task_change where size > 0 order by seq')).map(
      (row) => row.tasks,
    );
  /** The number of rows that report lost changes. */
  const lost = async () => (await made.sql('select 1 from tasker.task_change where tasks is null')).length;
  return { ...made, log, rows, lost };
}

it.each([true, false])(
  'changes during an announcement wait for the next one (search tables off: %s)',
  async (alone) => {
    const { log, rows } = await bench(alone);
    const noted: string[] = [];
    let announcements = 0;
    const note = () => {
      noted.push(uuidV7());
      log.noted(noted.at(-1)!);
    };
    log.onAnnounced = () => {
      announcements += 1;
      if (noted.length < 5) note();
    };
    log.want();
    const began = performance.now();
    note();
    await until(
      () => announcements,
      (count) => count === 5,
    );
    // A timer never fires early, however fast or slow the machine is.
    expect(performance.now() - began).toBeGreaterThan(5 * 200 * 0.95);
    expect(await rows()).toEqual(noted.map((taskUuid) => [taskUuid]));
  },
);

it('changes that could not be announced are announced later, together with later changes', async () => {
  const { log, rows, sql, url } = await bench(true);
  log.want();
  const [first, second] = [uuidV7(), uuidV7()];
  const session = await openSession(url);
  await session.query('begin');
  await session.query('lock table tasker.task_change in exclusive mode');
  log.noted(first);
  const failed = log.flush().then(
    () => 'announced',
    () => 'failed',
  );
  await until(
    () =>
      sql(`select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like '%task_change%'`),
    (ended) => ended.length > 0,
  );
  expect(await failed).toBe('failed');
  await session.query('rollback');
  log.noted(second);
  await log.flush();
  expect((await rows()).flat().sort()).toEqual([first, second].sort());
});

it('the search tables announce a task again only if it has changed since', async () => {
  const { tasker, log, rows } = await bench(false);
  const { database } = tasker.engine;
  const [a, b, c, d] = [uuidV7(), uuidV7(), uuidV7(), uuidV7()];
  log.want();
  for (const noted of [[a, b], [c]]) {
    for (const taskUuid of noted) log.noted(taskUuid);
    await log.flush();
  }
  log.noted(b);
  await log.writeAgain(database, [a, b, c, d]);
  // The log may announce b once more.
  expect((await rows()).slice(0, 3)).toEqual([[a, b], [c], [b, d]]);
  // A retry announces all of them.
  await log.writeAgain(database, [a]);
  expect(await rows()).toContainEqual([a]);
});

it('after a crash that loses an announcement, the search tables announce its tasks, even if later tasks were announced', async () => {
  const { tasker, log, rows, sql } = await bench(false);
  const { database } = tasker.engine;
  const [a, b, c] = [uuidV7(), uuidV7(), uuidV7()];
  log.want();
  for (const taskUuid of [a, b]) {
    log.noted(taskUuid);
    await log.flush();
  }
  // A crash loses the last rows. The next rows may get the same numbers, with other marks.
  await sql('delete from tasker.task_change where tasks = $1', [[a]]);
  await sql('update tasker.task_change set mark = (mark + 1) % 2147483647 where tasks = $1', [[b]]);
  log.noted(c);
  await log.flush();
  await log.writeAgain(database, [a, b, c]);
  expect(await rows()).toEqual([[b], [c], [a, b]]);
});

it('nothing is added to the log if everything was announced', async () => {
  const { tasker, log, rows } = await bench(false);
  const a = uuidV7();
  log.want();
  log.noted(a);
  await log.flush();
  await log.writeAgain(tasker.engine.database, [a]);
  expect(await rows()).toEqual([[a]]);
});

it('without the search tables, changes before the first stream are reported as lost, once then and once when it begins', async () => {
  const { log, rows, lost } = await bench(true);
  const before = await lost();
  for (let i = 0; i < 3; i++) {
    log.noted(uuidV7());
    await log.flush();
  }
  expect((await lost()) - before).toBe(1);
  log.want();
  await log.flush();
  expect((await lost()) - before).toBe(2);
  const later = uuidV7();
  log.noted(later);
  await log.flush();
  // A second request finds no change that was not announced.
  log.want();
  await log.flush();
  expect(await rows()).toEqual([[later]]);
  expect((await lost()) - before).toBe(2);
});

it('without the search tables, a process that changed nothing reports nothing as lost', async () => {
  const { log, rows, lost } = await bench(true);
  const before = await lost();
  log.want();
  await log.flush();
  expect([await rows(), (await lost()) - before]).toEqual([[], 0]);
});
