-- serves: 1
-- Statistics of attempts and of ended tasks (docs/decisions/0024). They are written in the background, from the history and
-- the audit, so that recording a step does not touch them.

-- The transaction that wrote a row. Statistics count a row once its transaction is committed, in whatever order that happens.
-- Null: not to be counted; older than this column, or restored from an archive.
alter table tasker.history add column tx bigint;
alter table tasker.history alter column tx set default txid_current();
alter table tasker.operator_action add column tx bigint;
alter table tasker.operator_action alter column tx set default txid_current();

-- A range of pages has an entry only once it is full, so recording adds nothing to this index.
create index history_tx on tasker.history using brin (tx);
create index operator_action_tx on tasker.operator_action (tx) where tx is not null;

-- Adds full ranges to the index. An ordinary user may not, unless the table is theirs.
create function tasker.summarize_history() returns int language sql security definer set search_path = pg_catalog
  as $$ select brin_summarize_new_values('tasker.history_tx'::regclass) $$;

-- Histograms are lists of count * 512 + number of the bucket. Bucket 0 is for zero; bucket b has the values up to
-- 1.1 ^ (b - 1) microseconds, so a value that stands for its bucket is wrong by less than 5 %.
create function tasker.bucket_of(us bigint) returns bigint language sql immutable parallel safe
  return case when us <= 0 then 0 when us > 0 then least(511, 1 + ceil(ln(us::float8) / ln(1.1::float8))::bigint) end;

create function tasker.add_histograms(a bigint[], b bigint[]) returns bigint[] language sql immutable parallel safe
  return (select coalesce(array_agg(n * 512 + bucket order by bucket), '{}') from (
    select e & 511 bucket, sum(e >> 9)::bigint n from (select unnest(a) e union all select unnest(b)) x group by 1) y);

-- One row for each minute, hour and day in which something ended. `idx` is a step of the template; -1 is for its tasks, -2
-- for all its steps together. `minutes` is the length of the period, which begins at `at`.
create table tasker.analytics (
  minutes     smallint not null,
  at          timestamptz not null,
  template_id int not null,
  idx         int not null,
  -- Attempts, by outcome. Of tasks: `failed` ended in error, `resolved` by hand.
  completed   bigint not null,
  failed      bigint not null,
  lost        bigint not null,
  cancelled   bigint not null,
  resolved    bigint not null,
  released    bigint not null,
  -- Of the failed and lost attempts: those that another attempt follows, and those that were the last.
  retried     bigint not null,
  gave_up     bigint not null,
  -- How long handlers ran, and how long tasks took, in microseconds.
  run_count   bigint not null,
  run_us      bigint not null,
  run_min_us  bigint,
  run_max_us  bigint,
  run_hist    bigint[] not null,
  -- The task of the longest.
  slowest     uuid,
  -- From the time at which a step was ready to its start.
  wait_count  bigint not null,
  wait_us     bigint not null,
  wait_min_us bigint,
  wait_max_us bigint,
  wait_hist   bigint[] not null,
  last_at     timestamptz not null,
  primary key (minutes, at, template_id, idx),
  constraint analytics_minutes check (minutes in (1, 60, 1440))
) with (fillfactor = 80);
-- For charts, which need the sums of templates only.
create index analytics_totals on tasker.analytics (minutes, at, template_id) where idx < 0;

-- Ends of tasks that are open again. Statistics may not have counted them yet. Rows are removed after a day.
create table tasker.earlier_end (
  task_uuid uuid not null,
  done_at   timestamptz not null,
  state     tasker.task_state not null,
  took_us   bigint not null,
  tx        bigint not null default txid_current(),
  primary key (task_uuid, done_at)
);

-- One row. A row of the history or the audit is counted if its transaction is visible in `counted`. Everything that was
-- committed before `counted_at` is counted. `after`: only rows after that time count, because the database was restored on
-- a server whose transaction numbers were lower.
create table tasker.analytics_state (
  single     boolean primary key default true,
  counted    pg_snapshot not null,
  counted_at timestamptz not null default now(),
  since      timestamptz not null default now(),
  after      timestamptz,
  -- Until then, nothing is counted in the background, so that counting takes a small part of the time.
  rest_until timestamptz not null default now(),
  pruned_at  timestamptz not null default now(),
  constraint analytics_state_single check (single)
) with (fillfactor = 50);
insert into tasker.analytics_state (counted) values (pg_current_snapshot());
