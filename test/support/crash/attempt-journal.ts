import { expect } from 'vitest';
import type { Sql } from '../database.ts';

/**
 * Creates triggers that record every committed attempt and task end in a journal. The journal is independent of the
 * statistics, and outlives the tasks. Call this before anything is counted, because it marks the current ten days as
 * summed. Every later change of a day then also changes the sums.
 */
export async function keepJournal(sql: Sql): Promise<void> {
  await sql(`
    update tasker.analytics_state set ten_days_until = date_bin('240 hours', now(), timestamptz 'epoch') + interval '480 hours';
    create table public.attempt_journal as
      select h.*, 0 template_id, 0 tidx from tasker.history h with no data;
    create table public.end_journal (task_uuid uuid, template_id int, state text, done_at timestamptz, took_us bigint);
    create function public.note_attempt() returns trigger language plpgsql as $$
      begin
        insert into public.attempt_journal select new.*, t.template_id, tasker.template_idx(new.idx)
          from tasker.task t where t.task_uuid = new.task_uuid;
        return null;
      end $$;
    create trigger note_attempt after insert on tasker.history for each row execute function public.note_attempt();
    create function public.note_end() returns trigger language plpgsql as $$
      begin
        insert into public.end_journal values (new.task_uuid, new.template_id, new.state::text, new.done_at,
          extract(epoch from new.done_at - greatest(new.rerun_at, (
            select w.ended_at from tasker.wait w where w.task_uuid = new.task_uuid and w.idx = -1), new.created_at)) * 1000000);
        return null;
      end $$;
    create trigger note_end after update on tasker.task for each row
      when (old.done_at is null and new.done_at is not null) execute function public.note_end();`);
}

const RECOUNTED = `
  select m.minutes, date_bin(m.minutes * interval '1 minute', x.at, timestamptz '1970-01-01T00:00Z') at, x.template_id, k.idx,
         count(*) filter (where kind = 'completed')::int completed, count(*) filter (where kind = 'failed')::int failed,
         count(*) filter (where kind = 'worker_lost')::int lost, count(*) filter (where kind = 'cancelled')::int cancelled,
         count(*) filter (where kind = 'resolved')::int resolved, count(*) filter (where kind = 'released')::int released,
         count(*) filter (where kind in ('failed', 'worker_lost') and state <> 'error')::int retried,
         count(*) filter (where kind in ('failed', 'worker_lost') and state = 'error' and x.idx >= 0)::int gave_up,
         count(us)::int run_count, coalesce(sum(us), 0)::int8 run_us, min(us)::int8 run_min_us, max(us)::int8 run_max_us,
         max(x.at) last_at
    from (
      select template_id, tidx idx, ended_at at, outcome::text kind, state::text,
             case when outcome in ('completed', 'failed') then duration_ms * 1000 end us
        from public.attempt_journal
      union all
      select template_id, -1, done_at,
             case state when 'complete' then 'completed' when 'error' then 'failed' when 'resolved_manually' then 'resolved'
                        else 'cancelled' end, 'error', greatest(0, took_us) from public.end_journal) x
   cross join (values (1), (60), (1440), (14400)) m (minutes)
   cross join lateral (select x.idx union all select -2 where x.idx >= 0) k (idx)
   where m.minutes < 14400 or x.at < (select ten_days_until from tasker.analytics_state)
   group by 1, 2, 3, 4`;

const KEPT = `
  select minutes, at, template_id, idx, completed::int, failed::int, lost::int, cancelled::int, resolved::int, released::int,
         retried::int, gave_up::int, run_count::int, run_us, run_min_us, run_max_us, last_at
    from tasker.analytics`;

/** Selects sums of ten days whose queueing times, histograms or slowest task differ from those of their days. */
const WRONG_TEN_DAYS = `
  with days as (
    select date_bin('240 hours', at, timestamptz 'epoch') ten, * from tasker.analytics where minutes = 1440),
  added as (
    select ten, template_id, idx, sum(wait_count) wait_count, sum(wait_us) wait_us, min(wait_min_us) wait_min_us,
           max(wait_max_us) wait_max_us, array_agg(run_max_us || ' ' || slowest) slowest
      from days group by 1, 2, 3),
  histograms as (
    select ten, template_id, idx, array_agg(n * 512 + bucket order by bucket) filter (where what = 'run') run_hist,
           array_agg(n * 512 + bucket order by bucket) filter (where what = 'wait') wait_hist
      from (select ten, template_id, idx, what, e & 511 bucket, sum(e >> 9)::bigint n
              from (select ten, template_id, idx, 'run' what, unnest(run_hist) e from days
                    union all select ten, template_id, idx, 'wait', unnest(wait_hist) from days) e group by 1, 2, 3, 4, 5) b
     group by 1, 2, 3)
  select t.at, t.template_id, t.idx from tasker.analytics t
    left join added a on a.ten = t.at and a.template_id = t.template_id and a.idx = t.idx
    left join histograms h on h.ten = t.at and h.template_id = t.template_id and h.idx = t.idx
   where t.minutes = 14400 and (
      (t.wait_count, t.wait_us, t.wait_min_us, t.wait_max_us) is distinct from (a.wait_count, a.wait_us, a.wait_min_us, a.wait_max_us)
      or t.run_hist <> coalesce(h.run_hist, '{}') or t.wait_hist <> coalesce(h.wait_hist, '{}')
      or t.run_max_us is not null and not t.run_max_us || ' ' || t.slowest = any (a.slowest))`;

/**
 * Fails if the statistics differ from a recount of the journal. Returns the number of attempts and ends in the journal.
 * `shortest` is the shortest period to compare, in minutes. Shorter periods may have been pruned.
 */
export async function compareWithJournal(sql: Sql, shortest = 1): Promise<{ attempts: number; ends: number }> {
  const difference = await sql(
    `select * from (
       select 'counted' what, * from (${KEPT} except all ${RECOUNTED}) a
       union all select 'journal', * from (${RECOUNTED} except all ${KEPT}) b) c
      where minutes >= $1 order by minutes, at, template_id, idx, what`,
    [shortest],
  );
  expect(difference).toEqual([]);
  const wrong = await sql(`
    select * from tasker.analytics where run_count <> (select coalesce(sum(e >> 9), 0) from unnest(run_hist) e)
        or wait_count <> (select coalesce(sum(e >> 9), 0) from unnest(wait_hist) e) or wait_us < 0 or wait_min_us > wait_max_us`);
  expect(wrong).toEqual([]);
  expect(await sql(WRONG_TEN_DAYS)).toEqual([]);
  const [sizes] = await sql<{ attempts: number; ends: number }>(`
    select (select count(*)::int from public.attempt_journal) attempts, (select count(*)::int from public.end_journal) ends`);
  return sizes!;
}
