import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readArchive } from '../../../src/app/retention.ts';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { eventLog, writeEvents } from '../../support/events/event-log.ts';
import { allOf, completed, endedAgo, endTurn, rowsOf, temporaryFolder } from '../../support/retention.ts';
import { DEMO, invariants, itOnce, setup, template, until } from '../../support/setup.ts';

const NOW = { olderThan: '0s' };
const files = (folder: string) =>
  readdirSync(folder)
    .sort()
    .map((name) => path.join(folder, name));

async function tasksIn(file: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { taskUuid } of readArchive(file)) ids.push(taskUuid);
  return ids;
}

describe('an archive', () => {
  it('is a gzip file with one line of JSON for each task, and the file name contains the time', async () => {
    const { tasker, taskUuids } = await completed(3);
    const folder = path.join(temporaryFolder(), 'new', 'folder');
    const report = await tasker.prune(NOW, { archive: folder }).result();
    expect(report.files).toEqual(files(folder));
    expect(path.basename(report.files[0]!)).toMatch(/^tasks-\d{8}T\d{6}Z-prune-\d+-0001\.ndjson\.gz$/);
    const lines = gunzipSync(readFileSync(report.files[0]!)).toString().trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    const archived = lines.map((line) => JSON.parse(line));
    expect(archived.map((line) => line.task_uuid)).toEqual([...taskUuids].sort());
    expect(archived[0]).toMatchObject({
      format: 1,
      template: { namespace: 'test', name: 'demo', version: '1.0.0', digest: expect.any(String) },
      task: { state: 'complete', context: { n: expect.any(Number) } },
      steps: [
        { step: 'a', state: 'complete', result: expect.objectContaining({}) },
        { step: 'b', state: 'complete' },
      ],
      history: [
        { step: 'a', outcome: 'completed', worker: expect.any(String) },
        { step: 'b', outcome: 'completed' },
      ],
      events: [],
    });
    expect(await tasksIn(report.files[0]!)).toEqual([...taskUuids].sort());
  });

  itOnce('is split into several files if it becomes large, and the file names sort by time', async () => {
    const { tasker, taskUuids } = await completed(250);
    const folder = temporaryFolder();
    const act = tasker.prune(NOW, { archive: folder, share: 1, fullBytes: 1 });
    const report = await act.result();
    expect(report).toMatchObject({ deleted: 250 });
    expect(report.files).toHaveLength(3);
    expect(report.files).toEqual(files(folder));
    const all = (await Promise.all(report.files.map(tasksIn))).flat();
    expect(all).toEqual([...taskUuids].sort());
  });

  it('is not written without tasks', async () => {
    const { tasker, sql } = await completed(1);
    const folder = temporaryFolder();
    await tasker.prune({ olderThan: '1h' }, { archive: folder }).result();
    expect(files(folder)).toEqual([]);
    expect(await sql('select 1 from tasker.archive_file')).toEqual([]);
  });

  itOnce('that cannot be written prevents the deletion, and the error names the place and the cause', async () => {
    const { tasker, sql } = await completed(2);
    const folder = temporaryFolder();
    writeFileSync(path.join(folder, 'file'), 'x');
    const refused = tasker.prune(NOW, { archive: path.join(folder, 'file') }).result();
    await expect(refused).rejects.toMatchObject({
      code: 'folder_not_writable',
      message: expect.stringContaining(`cannot write archives to ${path.join(folder, 'file')}`),
    });
    expect(await sql('select count(*)::int n from tasker.task')).toEqual([{ n: 2 }]);
    expect(await tasker.prune(NOW).result()).toMatchObject({ deleted: 2 });
  });

  itOnce('skips a task that is too large for a line', async () => {
    const { tasker, sql, taskUuids } = await completed(2);
    await sql(
      `insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, execution)
       values (gen_random_uuid(), 'a.big', $1, 0, 1, 'default', to_jsonb(repeat('x', 68000000)), '{}')`,
      [taskUuids[0]],
    );
    const report = await tasker.prune(NOW, { archive: temporaryFolder() }).result();
    expect(report).toMatchObject({ deleted: 1, skipped: 1, reasons: { too_large: 1 } });
    expect(await tasker.prune(NOW).result()).toMatchObject({ deleted: 1 });
  });
});

describe('a restored task', () => {
  it('has its id, steps, results, history, logs, events and identity again, and is found by searches', async () => {
    let broken = true;
    const made = await setup({
      templates: [template({ a: [], b: ['a'], c: ['b'] })],
      handlers: [
        defineHandler('a', {}, () => ({ big: 12_345_678_901_234_567_890n.toString(), text: 'ü\n\u2028"\\' })),
        defineHandler('b', {}, ({ logger }) => {
          logger.warn({ n: 1 }, 'no luck');
          if (broken) throw new PermanentError('declined');
          return { fixed: true };
        }),
        defineHandler('c', {}, () => ({})),
      ],
      logger: silentLogger,
    });
    const { tasker, sql } = made;
    const request = { ...DEMO, context: { customer: 'c1' }, tags: ['night'], idempotencyKey: 'k', reason: 'r' };
    const { taskUuid } = await tasker.createTask(request);
    await tasker.waitForTask(taskUuid);
    await until(
      () => tasker.getStepLogs(taskUuid, 'b'),
      (logs) => logs.length > 0,
    );
    broken = false;
    await tasker.retryStep(taskUuid, 'b', { actor: 'ada', reason: 'fixed' });
    await tasker.waitForTask(taskUuid);
    await tasker.rerunTask(taskUuid, { from: 'c', actor: 'ben' });
    await tasker.waitForTask(taskUuid);
    await sql(`update tasker.step set result = '{"n": 12345678901234567890.123}' where task_uuid = $1 and idx = 0`, [
      taskUuid,
    ]);
    const raw = () =>
      sql(`select s.*, s.result::text raw from tasker.step s where task_uuid = $1 order by idx`, [taskUuid]);
    const [before, stepsBefore, logs] = [
      await allOf(tasker, taskUuid),
      await raw(),
      await tasker.getStepLogs(taskUuid, 'b'),
    ];
    await tasker.engine.search.flush();
    // Only the statistics read the ends that a rerun undid, and the statistics count a task once.
    const { earlier_end: _, ...rows } = await rowsOf(sql, [taskUuid]);
    const { files: written } = await tasker.prune(NOW, { archive: temporaryFolder() }).result();
    const restored = await tasker.restoreArchive(written[0]!, { actor: 'ada', reason: 'audit' }).result();
    expect(restored).toMatchObject({ read: 1, restored: 1, existing: 0, failed: 0, withoutIdentity: [], damage: null });
    expect(await allOf(tasker, taskUuid)).toEqual(before);
    expect(await raw()).toEqual(stepsBefore);
    expect(await tasker.getStepLogs(taskUuid, 'b')).toEqual(logs);
    await tasker.engine.search.flush();
    expect(await rowsOf(sql, [taskUuid])).toEqual(rows);
    expect((await tasker.listTasks({ key: 'k' }, {})).tasks).toMatchObject([{ taskUuid, status: 'complete' }]);
    expect((await tasker.listTasks({ tag: 'night', ended: true }, {})).total).toBe(1);
    await expect(tasker.createTask(request)).rejects.toThrow('already exists');
    expect(await tasker.createTask(request, { onDuplicate: 'return' })).toMatchObject({ taskUuid, created: false });
    expect((await tasker.audit({ action: 'restore' })).entries).toMatchObject([
      { actor: 'ada', reason: 'audit', target: expect.stringContaining('archive tasks-'), details: { restored: 1 } },
    ]);
    await tasker.rerunTask(taskUuid, { from: 'a' });
    expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
    await invariants(sql);
  });

  it('is not restored a second time, and a changed task is not overwritten', async () => {
    const { tasker, sql, taskUuids } = await completed(5);
    const {
      files: [file],
    } = await tasker.prune(NOW, { archive: temporaryFolder() }).result();
    const one = await tasker.restoreArchive(file!, { tasks: [taskUuids[0]!.toUpperCase()] }).result();
    expect(one).toMatchObject({ read: 1, restored: 1 });
    await tasker.rerunTask(taskUuids[0]!, { from: 'a' });
    await tasker.waitForTask(taskUuids[0]!);
    const [first, second] = await Promise.all([tasker, tasker].map((each) => each.restoreArchive(file!).result()));
    expect(first!.restored + second!.restored).toBe(4);
    expect(first!.existing + second!.existing).toBe(6);
    expect((await tasker.getTask(taskUuids[0]!)).reruns).toBe(1);
    expect(await rowsOf(sql, taskUuids)).toMatchObject({ task: 5, step: 10, task_identity: 5 });
    await invariants(sql);
  });

  it('is kept by the next prune, because its age starts at the restore', async () => {
    const { tasker, sql, taskUuids } = await completed(1);
    await endedAgo(sql, '3 hours', taskUuids);
    const {
      files: [file],
    } = await tasker.prune({ olderThan: '1h' }, { archive: temporaryFolder() }).result();
    await tasker.restoreArchive(file!).result();
    expect(await tasker.prune({ olderThan: '1h' }).result()).toMatchObject({ deleted: 0 });
    await sql(`update tasker.task set restored_at = restored_at - interval '2 hours'`);
    expect(await tasker.prune({ olderThan: '1h' }).result()).toMatchObject({ deleted: 1 });
  });

  it('has no identity if another task now has its former identity, and the restore reports this', async () => {
    const { tasker, requests, taskUuids } = await completed(1);
    const {
      files: [file],
    } = await tasker.prune(NOW, { archive: temporaryFolder(), releaseKeys: true }).result();
    const { taskUuid: other } = await tasker.createTask(requests[0]!);
    expect(await tasker.restoreArchive(file!).result()).toMatchObject({ restored: 1, withoutIdentity: taskUuids });
    expect(await tasker.createTask(requests[0]!, { onDuplicate: 'return' })).toMatchObject({ taskUuid: other });
  });

  it('is restored into another database that has its template, and rejected by a database without it', async () => {
    const { tasker, taskUuids } = await completed(2);
    const before = await allOf(tasker, taskUuids[0]!);
    const {
      files: [file],
    } = await tasker.prune(NOW, { archive: temporaryFolder() }).result();
    const empty = await setup({ worker: false });
    expect(await empty.tasker.restoreArchive(file!).result()).toMatchObject({
      restored: 0,
      failed: 2,
      failures: [{ why: expect.stringContaining('template test/demo@1.0.0 (digest') }, {}],
    });
    const like = await completed(1);
    expect(await like.tasker.restoreArchive(file!).result()).toMatchObject({
      restored: 2,
      withoutIdentity: [taskUuids[0]],
    });
    expect(await allOf(like.tasker, taskUuids[0]!)).toEqual(before);
    await invariants(like.sql);
  });
});

describe('the events of a restored task', () => {
  const ME = '00000000-0000-7000-8000-000000000001';

  it('are readable in their order, and no group receives them again', async () => {
    const { tasker, log, sql, taskUuids } = await eventLog({ tasks: 1 });
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, { taskUuid, name: 'a.one' }, { taskUuid, name: 'a.two' });
    await writeEvents(sql, { taskUuid, name: 'a.three' });
    await log.sequence();
    await log.finish((await log.take(group, ME, { leaseMs: 60_000 }))!);
    await tasker.cancelTask(taskUuid);
    const before = await tasker.events.list({ taskUuid });
    const {
      files: [file],
    } = await tasker.prune(NOW, { archive: temporaryFolder() }).result();
    // Simulates that the retention of the log has deleted the first two events.
    await sql(`delete from tasker.domain_event where name <> 'a.three'`);
    const restart = () => tasker.restoreArchive(file!).result();
    expect(await restart()).toMatchObject({ restored: 1 });
    const again = await tasker.events.list({ taskUuid });
    expect(again.map(({ id: _, ...event }) => event)).toEqual(before.map(({ id: _, ...event }) => event));
    expect(await tasker.events.get(before[2]!.eventId)).toMatchObject({ name: 'a.one', taskUuid });
    await log.sequence();
    expect(await log.take(group, ME, { leaseMs: 60_000 })).toBeUndefined();
    const late = await log.joinGroup({ name: 'late', patterns: ['*'], from: 'beginning' });
    const taken = (await log.take(late, ME, { leaseMs: 60_000 }))!;
    expect(taken.events.map((event) => event.name)).toEqual(['a.three']);
    await log.finish(taken);
    expect(await log.replay({ group: 'one' })).toBe(1);
    // Other searches by time still work, and a second prune also deletes the restored events.
    expect(await tasker.events.list({ after: new Date(Date.now() - 60_000) })).toHaveLength(1);
    const retries = await log.takeRetries(group, ME, { leaseMs: 60_000 });
    await log.finishRetries(group, ME, { delivered: retries });
    expect(await tasker.prune(NOW).result()).toMatchObject({ deleted: 1 });
    expect(await sql('select name from tasker.domain_event')).toEqual([{ name: 'a.three' }]);
  });
});

/** Prunes 100 tasks and then stops, like a process that was killed. */
async function killedAfterOnePart(tasker: Tasker, folder: string): Promise<void> {
  const killed = tasker.prune(NOW, { archive: folder, share: 1 })[Symbol.asyncIterator]();
  onTestFinished(async () => void (await killed.return!()));
  await killed.next();
  expect((await killed.next()).value).toMatchObject({ deleted: 100 });
}

describe('an archive file', () => {
  /** A file with 250 tasks in three parts. */
  async function threeParts() {
    const made = await completed(250);
    const {
      files: [file],
    } = await made.tasker.prune(NOW, { archive: temporaryFolder(), share: 1 }).result();
    return { ...made, file: file! };
  }

  itOnce('that ends within a part yields all tasks before it, and is reported as incomplete', async () => {
    const { tasker, sql, file, taskUuids } = await threeParts();
    // Like a copy, this file is unknown to the database.
    const copy = file.replace('tasks-', 'copy-');
    writeFileSync(copy, readFileSync(file));
    const size = readFileSync(copy).length;
    for (const cut of [size - 1, size - 9, Math.floor(size * 0.9)]) {
      truncateSync(copy, cut);
      const read: string[] = [];
      await expect(async () => {
        for await (const { taskUuid } of readArchive(copy)) read.push(taskUuid);
      }).rejects.toMatchObject({ code: 'archive_damaged', details: { kind: 'incomplete' } });
      expect(read).toEqual([...taskUuids].sort().slice(0, 200));
    }
    const report = await tasker.restoreArchive(copy).result();
    expect(report).toMatchObject({ restored: 200, damage: { kind: 'incomplete' } });
    expect(await tasker.restoreArchive(file).result()).toMatchObject({ restored: 50, existing: 200, damage: null });
    expect(await rowsOf(sql, taskUuids)).toMatchObject({ task: 250, step: 500 });
  });

  itOnce('that was changed yields nothing of the damaged part', async () => {
    const { file } = await threeParts();
    const bytes = readFileSync(file);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = bytes[at]! ^ 255;
    writeFileSync(file, bytes);
    const read: string[] = [];
    await expect(async () => {
      for await (const { taskUuid } of readArchive(file)) read.push(taskUuid);
    }).rejects.toMatchObject({ code: 'archive_damaged', details: { kind: 'damaged' } });
    expect(read).toHaveLength(100);
  });

  itOnce('that was unpacked, or packed again, can be read too', async () => {
    const { file, taskUuids } = await threeParts();
    const text = gunzipSync(readFileSync(file));
    const plain = file.replace('.gz', '');
    writeFileSync(plain, text);
    expect(await tasksIn(plain)).toEqual([...taskUuids].sort());
    writeFileSync(file, gzipSync(text));
    expect(await tasksIn(file)).toEqual([...taskUuids].sort());
    truncateSync(file, readFileSync(file).length - 100);
    await expect(tasksIn(file)).rejects.toMatchObject({ code: 'archive_damaged', details: { kind: 'incomplete' } });
    truncateSync(plain, text.length - 100);
    await expect(tasksIn(plain)).rejects.toMatchObject({ code: 'archive_damaged', details: { kind: 'incomplete' } });
  });

  itOnce('that is not an archive is rejected', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'x');
    const { tasker } = await setup({ worker: false });
    for (const text of ['hello\n', '{"a": 1}\n', '[]\n', gzipSync('hello\n')]) {
      writeFileSync(file, text);
      await expect(tasksIn(file)).rejects.toMatchObject({ code: expect.stringMatching(/bad_request|archive_damaged/) });
    }
    await expect(tasksIn(path.join(folder, 'none'))).rejects.toThrow('cannot read the archive');
    await expect(tasker.restoreArchive(path.join(folder, 'none')).result()).rejects.toMatchObject({
      code: 'bad_request',
    });
    writeFileSync(file, '');
    expect(await tasksIn(file)).toEqual([]);
  });

  it('is truncated to the deleted tasks if its process was killed, and gets its final name with the next prune', async () => {
    const { tasker, sql, taskUuids } = await completed(120);
    const folder = temporaryFolder();
    await killedAfterOnePart(tasker, folder);
    const [partial] = files(folder);
    expect(partial).toMatch(/\.ndjson\.gz\.part$/);
    // The process wrote more lines, and was killed before it deleted their tasks.
    writeFileSync(partial!, readFileSync(partial!).subarray(0, 500), { flag: 'a' });
    await endTurn(sql);
    const next = await tasker.prune(NOW, { archive: folder }).result();
    expect(next).toMatchObject({ deleted: 20, warnings: [] });
    expect(files(folder)).toEqual([partial!.replace('.part', ''), ...next.files]);
    const archived = (await Promise.all(files(folder).map(tasksIn))).flat();
    expect(archived).toEqual([...taskUuids].sort());
  });

  it('is read only up to the last deleted task, even if it is not truncated yet', async () => {
    const { tasker, sql } = await completed(120);
    const folder = temporaryFolder();
    await killedAfterOnePart(tasker, folder);
    const [partial] = files(folder);
    writeFileSync(partial!, readFileSync(partial!).subarray(0, 500), { flag: 'a' });
    expect(await tasker.restoreArchive(partial!).result()).toMatchObject({ restored: 100, damage: null });
    await endTurn(sql);
    await invariants(sql);
  });
});

it('every table that belongs to a task is archived and restored, or listed as not needed', async () => {
  const { sql } = await completed(0);
  const tables = await sql<{ name: string }>(
    `select c.table_name name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
      where c.table_schema = 'tasker' and c.column_name = 'task_uuid' and t.table_type = 'BASE TABLE' order by 1`,
  );
  // Rows of open tasks, groups, bulk actions and schedules, or rows that are written again. The identity has a separate
  // statement.
  const others = [
    'bulk_item',
    'earlier_end',
    'event_dead',
    'event_retry',
    'http_step',
    'limit_holder',
    'pause',
    'queue',
    'schedule_firing',
    'step_search',
    'task_identity',
    'task_key',
    'task_search',
    'task_watch',
    'timer',
  ];
  const [archived, restored] = ['archive-tasks.ts', 'restore-tasks.ts'].map((name) =>
    readFileSync(path.join('src/store/retention', name), 'utf8'),
  );
  for (const { name } of tables.filter((table) => !others.includes(table.name))) {
    expect(archived, name).toMatch(new RegExp(`tasker\\.${name} |rowsOf\\('${name}'`));
    expect(restored, name).toMatch(new RegExp(`tasker\\.${name} |'${name}'\\]`));
  }
});
