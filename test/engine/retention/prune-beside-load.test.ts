import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { readArchive } from '../../../src/app/retention.ts';
import { isTaskerError } from '../../../src/errors.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError, RetryableError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { rowsOf, temporaryFolder } from '../../support/retention.ts';
import { DEMO, invariants, itOnce, setup, template, until } from '../../support/setup.ts';

/** Ends in a way that depends on the task: immediately, after a retry, not at all, or late. */
const HANDLERS = ['a', 'b'].map((name) =>
  defineHandler(name, { inputs: { n: 'n' } }, async ({ n, context }) => {
    const kind = (n as number) % 5;
    await sleep((n as number) % 7);
    if (kind === 1 && context.retryCount === 0) throw new RetryableError('again');
    if (kind === 2 && name === 'b') throw new PermanentError('no');
    return { n };
  }),
);

itOnce(
  'prunes, restores and actions of operators alongside running workers lose no task and break no invariant',
  async () => {
    const steps = { a: { retry: { backoff: 'none' } }, b: { dependencies: ['a'] } };
    const { tasker, sql, another } = await setup({
      templates: [template(steps)],
      handlers: HANDLERS,
      logger: silentLogger,
      poolSize: 8,
    });
    const operator = await another({ worker: false });
    const folder = temporaryFolder();
    const created: string[] = [];
    const files: string[] = [];
    const counts: Record<string, number> = {};
    let over = false;
    const creating = async () => {
      for (let n = 0; n < 600; n += 20) {
        const requests = Array.from({ length: 20 }, (_, i) => ({
          ...DEMO,
          context: { n: n + i },
          idempotencyKey: `k${n + i}`,
        }));
        created.push(...(await tasker.createTasks(requests)).map(({ taskUuid }) => taskUuid));
        await sleep(40);
      }
      over = true;
    };
    const pruning = async () => {
      while (!over) {
        const report = await operator.prune({ olderThan: '0.1s' }, { archive: folder, share: 0.5 }).result();
        files.push(...report.files);
        counts.deleted = (counts.deleted ?? 0) + report.deleted;
        await sleep(30);
      }
    };
    const restoring = async () => {
      while (!over) {
        const file = files[Math.floor(Math.random() * files.length)];
        if (file !== undefined) {
          const { restored } = await operator.restoreArchive(file).result();
          counts.restored = (counts.restored ?? 0) + restored;
        }
        await sleep(50);
      }
    };
    const operating = async () => {
      for (let i = 0; !over; i++) {
        const taskUuid = created[Math.floor(Math.random() * created.length)];
        await sleep(5);
        if (taskUuid === undefined) continue;
        try {
          if (i % 3 === 0) await operator.rerunTask(taskUuid, { from: 'b' });
          else if (i % 3 === 1) await operator.cancelTask(taskUuid);
          else await operator.retryTask(taskUuid);
          counts.acts = (counts.acts ?? 0) + 1;
        } catch (error) {
          if (!isTaskerError(error) || !/task_not_found|illegal_transition|step_not_found/.test(error.code))
            throw error;
        }
      }
    };
    await Promise.all([creating(), pruning(), restoring(), operating()]);
    for (const taskUuid of created) await operator.cancelTask(taskUuid).catch(() => false);
    expect(counts.deleted).toBeGreaterThan(100);
    expect(counts.restored).toBeGreaterThan(0);
    expect(counts.acts).toBeGreaterThan(5);
    await until(
      () => sql('select 1 from tasker.task where done_at is null'),
      (rows) => rows.length === 0,
    );
    await invariants(sql);
    // A task that is not in the database is in an archive.
    const left = new Set((await sql<{ id: string }>('select task_uuid id from tasker.task')).map((row) => row.id));
    const archived = new Set<string>();
    for (const file of new Set(files)) for await (const { taskUuid } of readArchive(file)) archived.add(taskUuid);
    expect(created.filter((taskUuid) => !left.has(taskUuid) && !archived.has(taskUuid))).toEqual([]);
    for (const file of new Set(files)) await operator.restoreArchive(file).result();
    expect(await rowsOf(sql, created)).toMatchObject({ task: 600, step: 1200, task_identity: 600 });
    await invariants(sql);
    expect(await sql('select 1 from tasker.task_identity where pruned_at is not null')).toEqual([]);
  },
);
