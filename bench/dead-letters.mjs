// Measures the time to list dead letters and to check for new ones, with many entries:
//   node bench/dead-letters.mjs [entries]
// Default: 200,000 open entries and as many closed ones, of tasks with seven steps. Needs a build and DATABASE_URL of an
// empty database.
import pg from 'pg';
import { createTasker, silentLogger } from 'tasker-core';

const entries = Number(process.argv[2] ?? 200_000);
const url = process.env.DATABASE_URL;
const steps = Array.from({ length: 7 }, (_, n) => ({
  name: `step_${n}`,
  handler: `step_${n}`,
  dependencies: n === 0 ? [] : [`step_${n - 1}`],
}));
const names = ['fulfil', 'refund', 'pack'];
const templates = names.map((name) => ({
  name,
  namespace: 'shop',
  version: '1.0.0',
  identity_strategy: 'always_unique',
  lifecycle: { on_blocked: 'dlq' },
  steps,
}));
const tasker = await createTasker({ databaseUrl: url, templates, logger: silentLogger, worker: false });
await tasker.engine.search.flush();
const sql = new pg.Client({ connectionString: url });
await sql.connect();
await fill();
await time('check that closes nothing', () => drain(tasker.engine.lookForDeadLetters({ leastMs: 0, checkMs: 0 })), 5);
await time('full check', () => drain(tasker.engine.lookForDeadLetters({ leastMs: 0, checkMs: 600_000 })), 1);
for (const [what, filter, page] of [
  ['list', {}, {}],
  ['list of one template', { name: 'pack' }, {}],
  ['list of an assignee', { assignee: 'ann' }, {}],
  ['list of a reason', { dlqReason: 'manual_dlq' }, {}],
  ['list with the newest first', { status: 'all' }, {}],
  ['list of closed entries', { status: 'permanently_failed' }, {}],
]) {
  await time(what, () => tasker.deadLetters.list(filter, { limit: 50, ...page }), 20);
}
const first = await tasker.deadLetters.list({}, { limit: 1000 });
await time('a page deep in the list', () => tasker.deadLetters.list({}, { limit: 50, cursor: first.nextCursor }), 20);
await time('stats', () => tasker.deadLetters.stats(), 5);
await time('status', () => tasker.status(), 5);
await sql.end();
await tasker.stop();

async function drain(turns) {
  let count = 0;
  for await (const { added, closed } of turns) count += added.length + closed.length;
  return count;
}

async function time(what, run, times) {
  const took = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await run();
    took.push(performance.now() - began);
  }
  took.sort((a, b) => a - b);
  console.log(
    `${what}: p50 ${took[Math.floor(times / 2)].toFixed(1)} ms, p95 ${took[Math.floor(times * 0.95)].toFixed(1)} ms`,
  );
}

async function fill() {
  await sql.query(
    `insert into tasker.task (task_uuid, template_id, n_open, n_active, n_error, context, created_at)
     select ('01900000-' || lpad(to_hex(n / 65536), 4, '0') || '-7' || substr(lpad(to_hex(n % 65536), 4, '0'), 2) || substr(gen_random_uuid()::text, 19))::uuid,
            case when n % 1000 = 0 then 3 when n % 3 = 0 then 2 else 1 end, 7, 0, 1, '{}', now() - interval '1 day'
       from generate_series(1, $1) n`,
    [entries],
  );
  await sql.query(
    `insert into tasker.step (task_uuid, idx, state, remaining, attempts, max_attempts, retryable, claim, started_at, done_at)
     select t.task_uuid, i, case i when 0 then 'error'::tasker.step_state else 'pending' end, case when i = 0 then 0 else 1 end,
            case i when 0 then 1 else 0 end, 3, true, 16777217, case i when 0 then now() - interval '1 day' end, now() - interval '1 day'
       from tasker.task t, generate_series(0, 6) i`,
  );
  await sql.query(
    `insert into tasker.task_search (task_uuid, template_id, state, created_at, updated_at)
     select task_uuid, template_id, state, created_at, now() - interval '1 day' from tasker.task`,
  );
  const insert = (status) => `
    insert into tasker.dead_letter (task_uuid, template_id, reason, status, original_state, cause, moved_at, snapshot, created_at, queue_at,
                                    assignee, resolved_at, resolved_by)
    select t.task_uuid, t.template_id, case when r < 0.001 then 'manual_dlq' else 'max_retries_exceeded' end, ${status}, 'blocked_by_failures',
           'step_0: timeout: the bank did not answer', greatest(t.created_at, (select max(done_at) from tasker.step s where s.task_uuid = t.task_uuid)),
           jsonb_build_object('steps', repeat('x', 1500)), now() - r * interval '10 days', now() - r * interval '10 days' - interval '500 minutes',
           case when r > 0.999 then 'ann' end, case when ${status} <> 'pending' then now() end, case when ${status} <> 'pending' then 'ann' end
      from (select *, random() r from tasker.task) t`;
  await sql.query(insert(`'pending'`));
  await sql.query(insert(`case when r > 0.5 then 'cancelled' else 'manually_resolved' end`));
  await sql.query('vacuum analyze tasker.task, tasker.step, tasker.task_search, tasker.dead_letter');
}
