-- serves: 1
-- Search reads these tables, so that `task` and `step` need no index on a column that a state change touches. They are
-- written after the commit, by the process that made the change (docs/decisions/0019).

create table tasker.task_search (
  task_uuid uuid primary key,
  template_id int not null,
  state tasker.task_state not null,
  created_at timestamptz not null,
  done_at timestamptz,
  -- Of a task that has ended: done_at.
  updated_at timestamptz not null,
  initiator text,
  source_system text,
  reason text,
  tags text[],
  correlation_id uuid,
  parent_correlation_id uuid
);

-- Most tasks are written once, when they have ended. Each index that has them costs every task.
create index task_search_created on tasker.task_search (created_at, task_uuid);
create index task_search_ended on tasker.task_search (done_at, task_uuid) where done_at is not null;
create index task_search_updated on tasker.task_search (updated_at, task_uuid) where done_at is null;
create index task_search_open on tasker.task_search (created_at, task_uuid) where done_at is null;
-- A search reads a range of this index for each template and state, also if it is for all of them: a pair of conditions that
-- no task meets would otherwise read all tasks that meet the first.
create index task_search_state on tasker.task_search (template_id, state, created_at, task_uuid);
create index task_search_initiator on tasker.task_search (initiator, created_at, task_uuid) where initiator is not null;
create index task_search_source on tasker.task_search (source_system, created_at, task_uuid) where source_system is not null;
create index task_search_reason on tasker.task_search (reason, created_at, task_uuid) where reason is not null;
create index task_search_correlation on tasker.task_search (correlation_id) where correlation_id is not null;
create index task_search_parent on tasker.task_search (parent_correlation_id) where parent_correlation_id is not null;
create index task_search_tags on tasker.task_search using gin (tags) where tags is not null;

-- The text of an error without what differs from case to case: words with a digit (numbers, ids, times, addresses), quoted
-- text, and mail addresses, each replaced by `*`. Lists of them count as one.
create function tasker.error_pattern(error text) returns text
  language sql immutable parallel safe
  return regexp_replace(regexp_replace(error, '(?:\m[[:alnum:]_]+-)*[[:alnum:]_]*[0-9][[:alnum:]_]*(?:[.:+-][[:alnum:]_]+)*|"[^"]*"|`[^`]*`|(?<![[:alnum:]])''[^'']*''|[^[:space:]<>@]+@[[:alnum:].-]+', '*', 'g'), '\*(?:[, ]+\*)+', '*', 'g');

-- Only steps that are ready, running, waiting for a retry, failed or resolved by hand: of others there are too many.
-- `fingerprint` is the hash of the pattern of `error`, by which failures are grouped.
create table tasker.step_search (
  task_uuid uuid not null,
  idx int not null,
  template_id int not null,
  state tasker.step_state not null,
  since timestamptz not null,
  -- Of the task, so that its tasks can be read in their order.
  created_at timestamptz not null,
  attempts int not null,
  error_type text,
  error text,
  fingerprint bigint,
  worker_id bigint,
  primary key (task_uuid, idx)
);

create index step_search_task on tasker.step_search (template_id, state, created_at, task_uuid, idx);
create index step_search_since on tasker.step_search (template_id, state, since, task_uuid, idx);
create index step_search_error on tasker.step_search (template_id, error_type, created_at, task_uuid, idx) where error_type is not null;
create index step_search_worker on tasker.step_search (worker_id, since, task_uuid, idx) where worker_id is not null;

-- The processes that write both: the oldest change that a process has not written, and when it was last heard of.
create table tasker.search_writer (
  id uuid primary key,
  pending_since timestamptz,
  seen_at timestamptz not null default now()
) with (fillfactor = 50);

-- One row. The process that keeps the tables complete, when they were last compared with the live ones, and the smallest
-- id of a task down to which tasks that are older than these tables were added.
create table tasker.search_state (
  single boolean primary key default true,
  keeper uuid,
  keeper_until timestamptz not null default now(),
  compared_at timestamptz not null default now(),
  filled_to uuid not null,
  constraint search_state_single check (single)
) with (fillfactor = 50);
insert into tasker.search_state (filled_to)
select case when exists (select 1 from tasker.task) then 'ffffffff-ffff-ffff-ffff-ffffffffffff'
            else '00000000-0000-0000-0000-000000000000' end::uuid;
