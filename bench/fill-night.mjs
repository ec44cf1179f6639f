// Fills a migrated database and its search tables with the tasks of a bad night: ended and open tasks of seven steps,
// in many templates, states, errors, tags and sources.
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createTasker, silentLogger } from 'tasker-core';
import { startEmbedded } from '../dist/db/embedded/start-embedded.js';
import { probeOf } from './harness.mjs';

/** Returns the templates of the night: some with many tasks, and one with 150 versions. */
export function nightTemplates() {
  const steps = ['receive', 'check', 'reserve', 'charge', 'pack', 'ship', 'notify'].map((name, i, names) => ({
    name,
    handler: `${name}_handler`,
    ...(i > 0 && { depends_on: [names[i - 1]] }),
  }));
  const base = { version: '1.0.0', identity_strategy: 'caller_provided', steps };
  const usual = ['shop', 'billing', 'stock'].flatMap((namespace) =>
    ['order', 'return', 'refund', 'audit'].map((name) => ({ ...base, namespace, name })),
  );
  const versions = Array.from({ length: 150 }, (_, i) => ({
    ...base,
    namespace: 'many',
    name: 'sync',
    version: `1.${i}.0`,
  }));
  return [...usual, ...versions];
}

const CHUNK = 20_000;

// All values depend only on the number of the task, so that two runs insert the same rows. `r` is evenly distributed
// from 0 to 9,999.
const TASKS = `
with g as materialized (
  select g, (hashint8(g)::bigint & 2147483647) % 10000 r, (hashint8(g + 7)::bigint & 2147483647) % 10000 r2,
         g >= $3::bigint is_open,
         case when g < $3::bigint then now() - interval '2 hours' - ($3::bigint - g) * ($5::float8 * interval '1 second')
              else now() - (($4::bigint - g) * 0.1) * interval '1 second' end made
    from generate_series($1::bigint, $2::bigint) g),
t as materialized (
  select g.*, ($6::int[])[1 + case when r2 < 9500 then r2 % 12 else 12 + r2 % 150 end] template_id,
         (lpad(to_hex((extract(epoch from made) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex((g >> 24) & 4095), 3, '0')
          || '8' || lpad(to_hex(g & 1152921504606846975), 15, '0'))::uuid id
    from g),
x as materialized (
  select t.*, r % 7 stage,
         case when is_open then (case when r < 3000 then 'error' when r < 4000 then 'waiting_for_retry'
                                      when r < 4250 then 'in_progress' else 'enqueued' end)::tasker.step_state
              when r < 100 then 'error'::tasker.step_state end now_in,
         case when is_open then null when r < 100 then 'error' when r < 300 then 'cancelled'
              when r < 400 then 'resolved_manually' end::tasker.task_state verdict
    from t),
made as (
  insert into tasker.task (task_uuid, template_id, n_open, n_active, n_retry, n_error, verdict, context, created_at, done_at,
                           initiator, source_system, reason, tags, correlation_id, parent_correlation_id)
  select id, template_id, case when is_open then 7 - stage else 0 end,
         case when now_in in ('enqueued', 'in_progress') then 1 else 0 end,
         case when now_in = 'waiting_for_retry' then 1 else 0 end,
         case when is_open and now_in = 'error' then 1 else 0 end, verdict,
         jsonb_build_object('customer', 'c' || r2, 'order', g), made,
         case when not is_open then made + interval '5 seconds' + r * interval '1 ms' end,
         case when r2 % 1000 = 7 then 'ada' when r2 % 10 < 7 then 'web' else 'cron' end,
         case when r2 % 10 < 6 then 'shop' when r2 % 10 < 7 then 'erp' when g % 10007 = 0 then 'fax' else 'crm' end,
         case when r2 % 100 = 3 then 'refund' else 'order' end,
         case when g % 50021 = 0 then array['rare', 'eu'] when r2 % 20 = 0 then array['vip', 'eu'] when r2 % 5 < 3 then array['eu'] end,
         ('c0000000-0000-7000-8000-' || lpad(to_hex(g / 3), 12, '0'))::uuid,
         case when g % 4 = 0 then ('d0000000-0000-7000-8000-' || lpad(to_hex(g / 1000), 12, '0'))::uuid end
    from x),
steps as materialized (
  select x.*, i, case when not is_open and verdict is null then 'complete' when i < stage then 'complete'
                      when i > stage and verdict = 'cancelled' then 'cancelled' when i > stage then 'pending'
                      when now_in is not null then now_in::text when verdict = 'cancelled' then 'cancelled'
                      else 'complete' end::tasker.step_state state
    from x, generate_series(0, 6) i),
s as (
  insert into tasker.step (task_uuid, idx, state, remaining, attempts, max_attempts, retryable, claim, result, next_at, started_at, done_at)
  select id, i, state, case when state = 'pending' then 1 else 0 end,
         case when state in ('pending', 'enqueued', 'cancelled') then 0 else 1 end, 3, true,
         case when state not in ('pending', 'enqueued', 'cancelled') then (1 + r % 8)::bigint << 24 end,
         case when state = 'complete' then '{"ok": true}'::jsonb end,
         case when state = 'waiting_for_retry' then now() + r * interval '1 second' end,
         case when state not in ('pending', 'enqueued', 'cancelled') then made + i * interval '1 second' end,
         case when state in ('complete', 'error') then made + (i + 1) * interval '1 second' end
    from steps),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select m.namespace_id, 0, steps.id, i, steps.template_id from steps join tasker.template m on m.id = steps.template_id
   where state = 'enqueued'),
w as (
  insert into tasker.timer (due_at, task_uuid, idx, template_id, rank)
  select now() + r * interval '1 second', id, i, template_id, 0 from steps where state = 'waiting_for_retry')
insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, ended_at, duration_ms, detail)
select id, i, 1, 1 + r % 8, case when state = 'complete' then 'completed' else 'failed' end::tasker.outcome, state,
       made + i * interval '1 second', made + (i + 1) * interval '1 second', 900,
       case when state <> 'complete' then jsonb_build_object('error', jsonb_build_object(
         'message', case when r2 % 4 = 0 then 'card ' || r2 || ' was declined by the bank' else 'no answer after ' || r2 || ' ms' end,
         'error_type', case when g % 997 = 0 then 'rare_failure' when template_id % 2 = 0 then 'card_declined' else 'timeout' end)) end
  from steps where state in ('complete', 'error', 'waiting_for_retry')`;

const TASK_SEARCH = `
insert into tasker.task_search
select task_uuid, template_id, state, created_at, done_at, coalesce(done_at, created_at + interval '10 seconds'), initiator,
       source_system, reason, tags, correlation_id, parent_correlation_id
  from tasker.task where correlation_id is not null
on conflict do nothing`;

const STEP_SEARCH = `
insert into tasker.step_search (task_uuid, idx, template_id, state, since, created_at, attempts, error_type, error, worker_id)
select s.task_uuid, s.idx, t.template_id, s.state,
       coalesce(case s.state when 'waiting_for_retry' then s.next_at when 'in_progress' then s.started_at else s.done_at end, t.created_at),
       t.created_at, s.attempts, h.detail #>> '{error,error_type}', h.detail #>> '{error,message}',
       case when s.state in ('error', 'waiting_for_retry', 'in_progress') then s.claim >> 24 end
  from (select * from tasker.task where task_uuid > $1 and (done_at is null or verdict is not null) order by task_uuid) t
  cross join lateral (
    select * from tasker.step s where s.task_uuid = t.task_uuid
       and s.state in ('enqueued', 'in_progress', 'waiting_for_retry', 'error', 'resolved_manually') offset 0) s
  left join lateral (
    select * from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx and s.state in ('error', 'waiting_for_retry')
     order by h.attempt desc limit 1) h on true
on conflict do nothing`;

/**
 * Adds ended and open tasks, and their rows in the search tables. The templates of {@link nightTemplates} must be
 * registered. Calls `said` periodically with a line of progress.
 */
export async function fillNight(probe, { ended, open }, said = () => undefined) {
  const { rows } = await probe.query(
    `select m.id, n.name from tasker.template m join tasker.namespace n on n.id = m.namespace_id
      where n.name in ('shop', 'billing', 'stock', 'many') order by n.name = 'many', m.id`,
  );
  const templates = rows.map((row) => row.id);
  for (let i = 1; i <= 8; i++) {
    await probe.query(
      `insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, state, lease_until)
       values ('night-' || $1::int, 'h', 1, '{shop}', '{}', 100, 'stopped', now())`,
      [i],
    );
  }
  const all = ended + open;
  await probe.query('set synchronous_commit = off');
  for (let from = 0; from < all; from += CHUNK) {
    const to = Math.min(from + CHUNK, all) - 1;
    // The ended tasks span 30 days.
    await probe.query(TASKS, [from, to, ended, all, (30 * 86_400) / Math.max(1, ended), templates]);
    if ((from / CHUNK) % 10 === 0) said(`${to + 1} of ${all} tasks`);
  }
  said('analyzing');
  await probe.query('vacuum analyze tasker.task, tasker.step, tasker.history');
  said('filling the search tables');
  await probe.query(TASK_SEARCH);
  await probe.query(STEP_SEARCH, ['00000000-0000-0000-0000-000000000000']);
  await probe.query('vacuum analyze');
}

/**
 * Starts a server with the tasks of the night, and opens a connection for observation. `kept`: the folder of the server,
 * which stays for the next run. A server that the folder already has is not filled again. Default: a temporary folder.
 */
export async function startNight(kept, { ended, open }) {
  const folder = kept ?? (await mkdtemp(path.join(tmpdir(), 'tasker-night-')));
  const isFilled = existsSync(path.join(folder, 'postgres'));
  const server = await startEmbedded({ folder, settings: { shared_buffers: '2GB', max_wal_size: '8GB' } });
  const stop = async () => {
    await server.stop();
    if (kept === undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    const probe = await probeOf(server.url);
    if (!isFilled) {
      const began = performance.now();
      const [databaseUrl, templates] = [server.url, nightTemplates()];
      const tasker = await createTasker({
        databaseUrl,
        templates,
        worker: false,
        autoStart: false,
        logger: silentLogger,
      });
      await fillNight(probe, { ended, open }, (line) => console.error(line));
      await tasker.stop();
      console.error(`filled in ${Math.round((performance.now() - began) / 1000)} s`);
    }
    return { url: server.url, folder, probe, stop: () => probe.end().then(stop) };
  } catch (error) {
    await stop();
    throw error;
  }
}
