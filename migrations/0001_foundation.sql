-- serves: 1
-- Live work. What one recording touches belongs to a list of task ids; every table of live work has task_uuid in its key.
-- `task` and `step` have no index on a column that a state change touches: their updates stay HOT (fillfactor below 60).

create type tasker.task_state as enum (
  'pending', 'initializing', 'enqueuing_steps', 'steps_in_process', 'evaluating_results', 'waiting_for_dependencies',
  'waiting_for_retry', 'blocked_by_failures', 'complete', 'error', 'cancelled', 'resolved_manually');
create type tasker.step_state as enum (
  'pending', 'enqueued', 'in_progress', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration',
  'waiting_for_retry', 'complete', 'error', 'cancelled', 'resolved_manually');
create type tasker.outcome as enum ('completed', 'failed', 'worker_lost', 'released', 'cancelled');
create type tasker.worker_state as enum ('alive', 'dead', 'buried', 'stopped');

create function tasker.iso(timestamptz) returns text language sql stable parallel safe
  return to_char($1 at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- The template step behind a step: a batch worker's place is (template step + 1) << 17 | its number in the batch.
create function tasker.template_idx(int) returns int language sql immutable parallel safe
  return case when $1 >= 131072 then ($1 >> 17) - 1 else $1 end;

create table tasker.namespace (
  id   int generated always as identity primary key,
  name text not null unique,
  constraint namespace_name check (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,28}$')
);

-- A snapshot of a template. A task is bound to the one it was created from; new tasks get the newest registration.
create table tasker.template (
  id                int generated always as identity primary key,
  namespace_id      int not null references tasker.namespace (id),
  name              text not null,
  version           text not null,
  digest            text not null,
  identity_strategy text not null,
  initial_count     int not null,
  root_count        int not null,
  definition        jsonb not null,
  created_at        timestamptz not null default now(),
  registered_at     timestamptz not null default now(),
  -- What the lifecycle comes to: null without limits that have an effect.
  stale_action                         text,
  max_duration_minutes                 int,
  max_waiting_for_dependencies_minutes int,
  max_waiting_for_retry_minutes        int,
  max_steps_in_process_minutes         int,
  unique (namespace_id, name, version, digest),
  constraint template_identity check (identity_strategy in ('strict', 'caller_provided', 'always_unique')),
  constraint template_stale_action check (stale_action in ('dlq', 'error')),
  constraint template_limits check ((stale_action is null) = (coalesce(max_duration_minutes,
    max_waiting_for_dependencies_minutes, max_waiting_for_retry_minutes, max_steps_in_process_minutes) is null))
);

create table tasker.template_step (
  template_id  int not null references tasker.template (id) on delete cascade,
  idx          int not null,
  name         text not null,
  callable     text not null,
  parents      int not null,
  initial      boolean not null,
  max_attempts int not null,
  retryable    boolean not null,
  primary key (template_id, idx)
);

create table tasker.template_edge (
  template_id int not null references tasker.template (id) on delete cascade,
  parent      int not null,
  child       int not null,
  primary key (template_id, parent, child)
);
create unique index template_edge_child on tasker.template_edge (template_id, child, parent);

-- The state is a function of the counters: ready and running steps are one class (active), so that a claim, which
-- moves a step between the two, need not touch the task. waiting_for_dependencies would mean that open steps are left
-- and nothing can move: it must never appear.
create table tasker.task (
  task_uuid             uuid primary key,
  template_id           int not null,
  rank                  smallint not null default 0,
  n_open                int not null,
  n_active              int not null,
  n_retry               int not null default 0,
  n_error               int not null default 0,
  verdict               tasker.task_state,
  state                 tasker.task_state not null generated always as (
    case when verdict is not null then verdict
         when n_open = 0 then 'complete'::tasker.task_state
         when n_active > 0 then 'steps_in_process'::tasker.task_state
         when n_retry > 0 then 'waiting_for_retry'::tasker.task_state
         when n_error > 0 then 'blocked_by_failures'::tasker.task_state
         else 'waiting_for_dependencies'::tasker.task_state end) stored,
  revision              int not null default 0,
  context               jsonb not null,
  correlation_id        uuid,
  parent_correlation_id uuid,
  traceparent           text,
  initiator             text,
  source_system         text,
  reason                text,
  tags                  text[],
  created_at            timestamptz not null default now(),
  done_at               timestamptz,
  constraint task_rank check (rank between -100 and 100),
  constraint task_counters check (n_active >= 0 and n_retry >= 0 and n_error >= 0 and n_active + n_retry + n_error <= n_open),
  constraint task_verdict check (verdict in ('error', 'cancelled', 'resolved_manually')),
  constraint task_done_has_time check ((done_at is not null) = (verdict is not null or n_open = 0))
) with (fillfactor = 50);
create index task_open on tasker.task (task_uuid) where done_at is null;

-- attempts counts every start and only grows; spared are the starts that do not count (given back, before a reset).
-- claim is the fence while the step runs, and afterwards says which worker ran it last.
create table tasker.step (
  task_uuid    uuid not null,
  idx          int not null,
  state        tasker.step_state not null,
  remaining    int not null,
  attempts     int not null default 0,
  spared       int not null default 0,
  max_attempts int not null,
  retryable    boolean not null,
  claim        bigint,
  result       jsonb,
  next_at      timestamptz,
  started_at   timestamptz,
  done_at      timestamptz,
  primary key (task_uuid, idx),
  constraint step_attempts check (attempts >= spared and spared >= 0 and max_attempts >= 1),
  constraint step_waits_for_parents check (remaining >= 0 and (remaining = 0 or state in ('pending', 'cancelled', 'resolved_manually', 'complete'))),
  constraint step_running_has_claim check (state <> 'in_progress' or (claim is not null and started_at is not null)),
  constraint step_retry_has_time check ((state = 'waiting_for_retry') <= (next_at is not null))
) with (fillfactor = 45);

-- What an analyzer came to: `size` steps made from the template step `worker_idx`, at most `parallelism` of them active
-- (queued, running or waiting for a retry) at once. Those from `next_idx` on have not had a place yet.
create table tasker.batch (
  task_uuid        uuid not null,
  worker_idx       int not null,
  analyzer_idx     int not null,
  size             int not null,
  parallelism      int not null,
  failure_strategy text not null,
  no_op            boolean not null,
  n_active         int not null default 0,
  next_idx         int not null,
  primary key (task_uuid, worker_idx),
  constraint batch_strategy check (failure_strategy in ('continue_on_failure', 'fail_fast', 'isolate')),
  constraint batch_size check (size between 1 and 131072 and parallelism >= 1 and n_active >= 0)
) with (fillfactor = 50);

-- The part of a batch that one of its steps works on.
create table tasker.batch_worker (
  task_uuid uuid not null,
  idx       int not null,
  name      text not null,
  cursor    jsonb not null,
  primary key (task_uuid, idx)
);

-- How far a step came, saved by its handler while it held the step; `attempt` is the start that saved it last.
create table tasker.checkpoint (
  task_uuid uuid not null,
  idx       int not null,
  attempt   int not null,
  data      jsonb not null,
  saved_at  timestamptz not null default now(),
  primary key (task_uuid, idx)
) with (fillfactor = 50);

-- Ready steps that no worker has taken. Rows are inserted and deleted, never updated.
create table tasker.queue (
  namespace_id int not null,
  rank         smallint not null,
  id           bigint generated always as identity,
  task_uuid    uuid not null,
  idx          int not null,
  template_id  int not null,
  primary key (namespace_id, rank, id)
);
alter table tasker.queue set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

create table tasker.timer (
  due_at      timestamptz not null,
  task_uuid   uuid not null,
  idx         int not null,
  template_id int not null,
  rank        smallint not null,
  primary key (due_at, task_uuid, idx)
);

-- One row an attempt that ended: which worker, when, how long the handler ran, what came of it.
create table tasker.history (
  task_uuid   uuid not null,
  idx         int not null,
  attempt     int not null,
  worker_id   bigint not null,
  outcome     tasker.outcome not null,
  state       tasker.step_state not null,
  started_at  timestamptz,
  ended_at    timestamptz not null default now(),
  duration_ms int,
  detail      jsonb,
  primary key (task_uuid, idx, attempt)
);

-- What operators did, to steps (idx) or to a whole task (idx null); fail and note are the lifecycle's.
create table tasker.operator_action (
  id         bigint generated always as identity primary key,
  task_uuid  uuid not null,
  idx        int,
  action     text not null,
  from_state text not null,
  to_state   text not null,
  actor      text not null,
  reason     text,
  at         timestamptz not null default now(),
  constraint operator_action_known check (action in ('cancel', 'cancel_batch', 'reset', 'resolve', 'complete', 'fail', 'note'))
);
create index operator_action_task on tasker.operator_action (task_uuid, id);

-- Open tasks of templates with limits, and when each is looked at next; no other task has a row. With a rule: noted as
-- stale, because nothing had moved since then. Rows of tasks that ended go at the next look.
create table tasker.task_watch (
  task_uuid uuid primary key,
  check_at  timestamptz not null,
  rule      text,
  minutes   int,
  since     timestamptz,
  noted_at  timestamptz,
  constraint task_watch_note check (num_nulls(rule, minutes, since, noted_at) in (0, 4))
);
create index task_watch_due on tasker.task_watch (check_at);
create index task_watch_stale on tasker.task_watch (task_uuid) where rule is not null;

-- Identities of tasks that have one; always_unique tasks do not touch it.
create table tasker.task_identity (
  hash      bytea primary key,
  task_uuid uuid not null
);

create table tasker.worker (
  id          bigint generated always as identity primary key,
  name        text not null,
  host        text not null,
  pid         int not null,
  namespaces  text[] not null,
  callables   text[] not null,
  concurrency int not null,
  state       tasker.worker_state not null default 'alive',
  started_at  timestamptz not null default now(),
  lease_until timestamptz not null
);
create index worker_living on tasker.worker (lease_until) where state in ('alive', 'dead');
create index worker_gone on tasker.worker (lease_until) where state in ('buried', 'stopped');

-- Of workers that are long gone, what history and steps show of them.
create table tasker.past_worker (
  id   bigint primary key,
  name text not null,
  host text not null
);

-- Domain events: written with the result that they tell of, and never changed. Within a task ids grow in the order of its
-- commits, since each recording locks it; across tasks they say nothing: an id may be committed after a greater one.
-- Whoever inserts has locked the task before, in a statement of its own: so its transaction has an id before it takes one
-- from the sequence here, which event_gap relies on.
create table tasker.domain_event (
  id        bigint generated always as identity primary key,
  event_id  uuid not null,
  name      text not null,
  version   text not null default '1.0',
  task_uuid uuid not null,
  idx       int not null,
  attempt   int not null,
  publisher text not null,
  payload   jsonb not null,
  -- What the publisher adds; ids and times have columns.
  metadata  jsonb,
  -- The execution result of the attempt, without its `result` where that is the payload.
  execution jsonb not null,
  fired_at  timestamptz not null default now()
);
-- Not BRIN: pages that events were deleted from take later ones, until each range of pages spans all times. Times have no
-- index: they grow with the ids, see src/store/event-time.ts.
create index domain_event_ids on tasker.domain_event (event_id);
create index domain_event_tasks on tasker.domain_event (task_uuid);

-- Large values stand beside the table as they are: their sizes are known without reading them.
alter table tasker.domain_event alter payload set storage external, alter execution set storage external;

-- Events in the order in which they came to be seen, in lists: one writer at a time, who holds a lock. Ids up to last_id were
-- seen, or are in event_gap. Readers go by lists, so nothing can appear behind them.
create table tasker.event_head (
  one     boolean primary key default true,
  last_id bigint not null default 0,
  chunk   bigint not null default 0,
  constraint event_head_one check (one)
) with (fillfactor = 50);
insert into tasker.event_head default values;

-- Ids that were passed by: rolled back, or not committed yet. Whoever took one of them from the sequence had a transaction
-- id below `since` by then; when no such transaction runs any more, and still there is no event, there never will be one.
create table tasker.event_gap (
  first_id bigint not null,
  last_id  bigint not null,
  since    xid8 not null,
  primary key (first_id, last_id),
  constraint event_gap_not_empty check (first_id <= last_id)
);

-- The events of a task are all in one part, of 16. `total`: ids in this list and in those before it in its part.
create table tasker.event_chunk (
  part    smallint not null,
  chunk   bigint not null,
  ids     bigint[] not null,
  size    int not null,
  total   bigint not null,
  made_at timestamptz not null default clock_timestamp(),
  primary key (part, chunk),
  constraint event_chunk_part check (part between 0 and 15),
  constraint event_chunk_size check (size = cardinality(ids) and size > 0)
);

-- Who gets events: each group gets each event whose name matches, however many processes work for it. `matching` is what the
-- patterns come to as a regular expression. Both are what its members ask for, together.
create table tasker.event_group (
  id         int generated always as identity primary key,
  name       text not null unique,
  patterns   text[] not null,
  matching   text not null,
  created_at timestamptz not null default now(),
  seen_at    timestamptz not null default now()
) with (fillfactor = 50);

-- The processes that work for a group, and what each asks for; of those that left while others stayed, for a while. Written
-- under a lock on the group's row only.
create table tasker.event_group_member (
  group_id int not null references tasker.event_group (id),
  member   uuid not null,
  patterns text[] not null,
  matching text not null,
  seen_at  timestamptz not null default now(),
  has_left boolean not null default false,
  primary key (group_id, member)
) with (fillfactor = 50);

-- How far a group came in a part: lists below `chunk` are done, and of that one the first `done` ids. A process that holds it
-- handles what comes next; `hold` is the fence, another one each time. It outlives the holder who wrote down that all was done:
-- one who missed the answer and asks again learns that it was.
create table tasker.event_cursor (
  group_id   int not null references tasker.event_group (id),
  part       smallint not null,
  chunk      bigint not null,
  done       int not null default 0,
  holder     uuid,
  hold       uuid,
  held_until timestamptz,
  primary key (group_id, part),
  constraint event_cursor_part check (part between 0 and 15 and done >= 0),
  constraint event_cursor_hold check (num_nulls(holder, held_until) in (0, 2) and (hold is not null or holder is null))
) with (fillfactor = 50);

-- Deliveries beside the cursor: those that failed, those of the same task behind them, those that are repeated. Of a task
-- only the first is ever due; those behind it are due at infinity. One that is held is due again when the hold ends.
-- Without references: each row would lock the group's one.
create table tasker.event_retry (
  group_id  int not null,
  task_uuid uuid not null,
  id        bigint not null,
  attempts  int not null default 0,
  due_at    timestamptz not null default now(),
  replayed  boolean not null default false,
  error     text,
  holder    uuid,
  primary key (group_id, task_uuid, id)
) with (fillfactor = 50);
-- By an expression, so that nothing that looks for a task of a group can come by this index: while statistics say that the
-- table is empty it would seem as good as the key, and read all that waits for the group each time.
create index event_retry_due on tasker.event_retry ((-group_id), due_at);
create index event_retry_held on tasker.event_retry (holder) where holder is not null;

-- Deliveries that were given up.
create table tasker.event_dead (
  group_id  int not null,
  id        bigint not null,
  task_uuid uuid not null,
  attempts  int not null,
  error     text not null,
  died_at   timestamptz not null default now(),
  primary key (group_id, id)
);
create index event_dead_age on tasker.event_dead (died_at);
create index event_dead_event on tasker.event_dead (id);
