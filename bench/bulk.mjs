// Measures bulk actions on many blocked tasks while a worker runs. The worker's handlers fail again or complete, and it
// also creates tasks. Prints the time of the selection and of the action, the CPU time of the server and of this
// process, and checks that each failure was retried exactly once.
//   node bench/bulk.mjs [tasks=100000] [action=retry|cancel|delete]     DATABASE_URL, or an embedded server
import { createTasker, defineHandler } from 'tasker-core';
import { probeOf, withDatabase, withServer } from './harness.mjs';
import { serverCpu } from './server-cpu.mjs';

const TASKS = Number(process.argv[2] ?? 100_000);
const ACTION = process.argv[3] ?? 'retry';
const FILLED_AT_ONCE = 20_000;

const TEMPLATE = {
  namespace: 'bench',
  name: 'night',
  identity_strategy: 'always_unique',
  version: '1.0.0',
  steps: [
    { name: 'charge', handler: 'charge' },
    { name: 'mail', handler: 'mail', dependencies: ['charge'] },
  ],
};

/** Adds tasks whose first step failed, with the rows of the search, as a worker leaves them. */
const FILL = `
with t as (
  insert into tasker.task (task_uuid, template_id, n_open, n_active, n_error, context)
  select ('01900000-' || lpad(to_hex(g >> 16), 4, '0') || '-7000-8000-' || lpad(to_hex(g), 12, '0'))::uuid, $1, 2, 0, 1, '{}'
    from generate_series($2::int, $3::int) g returning task_uuid, template_id),
s as (
  insert into tasker.step (task_uuid, idx, state, remaining, attempts, max_attempts, retryable, claim, started_at, done_at)
  select task_uuid, 0, 'error'::tasker.step_state, 0, 1, 3, true, 1 << 24, now(), now() from t
  union all select task_uuid, 1, 'pending', 1, 0, 3, true, null, null, null from t),
h as (
  insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, detail)
  select task_uuid, 0, 1, 1, 'failed', 'error', now(), '{"error":{"error_type":"timeout","message":"no answer"}}' from t),
p as (
  insert into tasker.task_search (task_uuid, template_id, state, created_at, updated_at)
  select task_uuid, template_id, 'blocked_by_failures', now(), now() from t)
insert into tasker.step_search (task_uuid, idx, template_id, state, since, created_at, attempts, error_type, error)
select task_uuid, 0, template_id, 'error', now(), now(), 1, 'timeout', 'no answer' from t`;

async function fill(probe) {
  const { rows } = await probe.query(`select id from tasker.template where name = 'night'`);
  for (let from = 0; from < TASKS; from += FILLED_AT_ONCE) {
    await probe.query(FILL, [rows[0].id, from, Math.min(from + FILLED_AT_ONCE, TASKS) - 1]);
  }
  await probe.query('vacuum analyze');
}

await withServer((server) =>
  withDatabase(server, async (url) => {
    const handlers = [
      defineHandler('charge', {}, async () => ({ ok: true })),
      defineHandler('mail', {}, async () => ({})),
    ];
    const options = { databaseUrl: url, templates: TEMPLATE };
    const worker = await createTasker({ ...options, handlers });
    const operator = await createTasker({ databaseUrl: url, worker: false, poolSize: 3 });
    const probe = await probeOf(url);
    await fill(probe);
    if (ACTION === 'delete') await operator.bulk.cancel({ name: 'night' }).result();

    let creating = true;
    let created = 0;
    const creator = (async () => {
      const request = { namespace: 'bench', name: 'night', version: '1.0.0', context: {} };
      while (creating) {
        created += (await worker.createTasks(Array.from({ length: 20 }, () => request))).length;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();

    const cpu = await serverCpu(probe);
    const [serverBefore, ownBefore, startedAt] = [cpu(), process.cpuUsage(), performance.now()];
    const filter = ACTION === 'delete' ? { status: 'cancelled' } : { errorType: 'timeout' };
    const act = operator.bulk[ACTION](filter, { actor: 'bench', reason: 'measured' });
    const { matched } = await act.preview();
    const selectedAt = performance.now();
    for await (const _ of act);
    const result = await act.result();
    const seconds = (performance.now() - selectedAt) / 1000;
    const own = process.cpuUsage(ownBefore);
    const serverSeconds = (cpu() - serverBefore) / 1e6;
    creating = false;
    await creator;
    const { rows: twice } = await probe.query(
      `select 1 from tasker.operator_action where bulk_id = $1 and task_uuid is not null group by task_uuid, idx having count(*) > 1`,
      [result.id],
    );
    console.log({
      action: ACTION,
      matched,
      done: result.done,
      skipped: result.skippedCount,
      failed: result.failedCount,
      selectSeconds: Number(((selectedAt - startedAt) / 1000).toFixed(2)),
      seconds: Number(seconds.toFixed(1)),
      perSecond: Math.round(result.done / seconds),
      serverCpuSeconds: Number(serverSeconds.toFixed(1)),
      ownCpuSeconds: Number(((own.user + own.system) / 1e6).toFixed(1)),
      createdMeanwhile: created,
      actedOnTwice: twice.length,
    });
    await probe.end();
    await Promise.all([operator.stop(), worker.stop({ drainTimeoutMs: 1_000 })]);
  }),
);
