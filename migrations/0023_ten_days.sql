-- serves: 1
-- Statistics of ten days, so that windows of months read fewer rows (docs/decisions/0024). Their rows are sums of days.

-- Periods of ten days, counted from 1970, are summed up to this time. Null: none is.
alter table tasker.analytics_state add column ten_days_until timestamptz;

-- Not checked for existing rows, which were checked against the shorter list.
alter table tasker.analytics
  drop constraint analytics_minutes,
  add constraint analytics_minutes check (minutes in (1, 60, 1440, 14400)) not valid;

-- Sums the days of ten days again, for one step. Nothing remains if there are no days.
create function tasker.sum_ten_days(first timestamptz, template int, step int) returns void
  language sql set search_path = pg_catalog as $$
  delete from tasker.analytics o where o.minutes = 14400 and o.at = first and o.template_id = template and o.idx = step;
  with days as materialized (
    select x.* from generate_series(0, 9) day cross join lateral (
      select * from tasker.analytics o
       where o.minutes = 1440 and o.at = first + day * interval '24 hours' and o.template_id = template and o.idx = step offset 0) x)
  insert into tasker.analytics (
    minutes, at, template_id, idx, completed, failed, lost, cancelled, resolved, released, retried, gave_up,
    run_count, run_us, run_min_us, run_max_us, run_hist, slowest, wait_count, wait_us, wait_min_us, wait_max_us, wait_hist, last_at)
  select 14400, first, template, step, sum(completed), sum(failed), sum(lost), sum(cancelled), sum(resolved), sum(released),
         sum(retried), sum(gave_up), sum(run_count), sum(run_us), min(run_min_us), max(run_max_us),
         (select coalesce(array_agg(n * 512 + bucket order by bucket), '{}') from (
           select e & 511 bucket, sum(e >> 9)::bigint n from (select unnest(run_hist) e from days) x group by 1) y),
         (array_agg(slowest order by run_max_us desc nulls last))[1],
         sum(wait_count), sum(wait_us), min(wait_min_us), max(wait_max_us),
         (select coalesce(array_agg(n * 512 + bucket order by bucket), '{}') from (
           select e & 511 bucket, sum(e >> 9)::bigint n from (select unnest(wait_hist) e from days) x group by 1) y),
         max(last_at)
    from days having count(*) > 0;
$$;

-- Days may still change after they were summed: a transaction commits late, or the clock is set back. A program of an earlier
-- version knows nothing of the sums, so a trigger repeats them.
create function tasker.day_changed() returns trigger language plpgsql set search_path = pg_catalog as $$
declare
  day tasker.analytics := case when tg_op = 'DELETE' then old else new end;
begin
  if day.at < (select ten_days_until from tasker.analytics_state) then
    perform tasker.sum_ten_days(
      date_bin('240 hours', day.at, timestamptz '1970-01-01T00:00Z'), day.template_id, day.idx);
  end if;
  return null;
end $$;
create trigger day_changed after insert or update on tasker.analytics
  for each row when (new.minutes = 1440) execute function tasker.day_changed();
create trigger day_deleted after delete on tasker.analytics
  for each row when (old.minutes = 1440) execute function tasker.day_changed();
