-- serves: 1
-- All tables of tasker-core. A table that holds live work has the id of the task in its key, so that everything that
-- one recording touches is found by a list of task ids. The settings `fillfactor` leave room on each page, so that an
-- update can stay on its page without touching an index (HOT).

-- States

create type tasker.task_state as enum (
  'pending', 'initializing', 'enqueuing_steps', 'steps_in_process', 'evaluating_results', 'waiting_for_dependencies',
  'waiting_for_retry', 'blocked_by_failures', 'complete', 'error', 'cancelled', 'resolved_manually', 'waiting', 'undoing',
  'undone');
create type tasker.step_state as enum (
  'pending', 'enqueued', 'in_progress', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration',
  'waiting_for_retry', 'complete', 'error', 'cancelled', 'resolved_manually', 'waiting', 'skipped');
create type tasker.outcome as enum ('completed', 'failed', 'worker_lost', 'released', 'cancelled', 'skipped');
create type tasker.worker_state as enum ('alive', 'dead', 'buried', 'stopped');

create function tasker.iso(timestamptz) returns text language sql stable parallel safe
  return to_char($1 at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- Namespaces and templates

create table tasker.namespace (
  id   int generated always as identity primary key,
  name text not null unique,
  constraint namespace_name check (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,28}$')
);

-- A snapshot of a template. A task keeps the snapshot that it was created from. New tasks use the newest registration.
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
  -- The limits of the lifecycle. Null without limits that have an effect.
  stale_action                         text,
  max_duration_minutes                 int,
  max_waiting_for_dependencies_minutes int,
  max_waiting_for_retry_minutes        int,
  max_steps_in_process_minutes         int,
  paused            boolean not null default false,
  -- Whether it has steps that wait. Their ready steps are in a part of the queue of their own, the lane.
  waits             boolean not null default false,
  -- Whether its steps have limits. All its ready steps are then in a part of the queue that no claim reads, until an
  -- admission moves them (docs/decisions/0043).
  limited           boolean not null default false,
  -- The key in `queue` of the ready steps. Negative ids are those of paused steps, which no claim reads.
  queue_id          int not null generated always as (
    (case when paused then -1 else 1 end) * (namespace_id + case when waits then 1073741824 else 0 end
      + case when limited then 268435456 else 0 end)) stored,
  max_waiting_minutes int,
  -- Whether steps may be skipped or end the task. The program then computes what follows from their states.
  routed            boolean not null default false,
  -- Whether its tasks have something to undo: steps with `undo`, or child tasks.
  undoable          boolean not null default false,
  -- Whether a program with access to the database registered this content, such as a worker with its own folder. False:
  -- it only arrived over HTTP. Workers in production load no handler files for such templates.
  registered_by_program boolean not null default false,
  unique (namespace_id, name, version, digest),
  constraint template_identity check (identity_strategy in ('strict', 'caller_provided', 'always_unique')),
  constraint template_stale_action check (stale_action in ('dlq', 'error')),
  constraint template_limits check ((stale_action is null) = (coalesce(max_duration_minutes,
    max_waiting_for_dependencies_minutes, max_waiting_for_retry_minutes, max_steps_in_process_minutes,
    max_waiting_minutes) is null))
);
-- Few templates send blocked tasks to the dead letters. The index finds them without reading all definitions.
create index template_on_blocked on tasker.template (id) where definition #>> '{lifecycle,on_blocked}' = 'dlq';

create table tasker.template_step (
  template_id  int not null references tasker.template (id) on delete cascade,
  idx          int not null,
  name         text not null,
  callable     text not null,
  parents      int not null,
  initial      boolean not null,
  max_attempts int not null,
  retryable    boolean not null,
  -- The attempts after which the loss of a worker is final, if the retry policy has rules. 0: the first loss is.
  lost_attempts int,
  -- The time for all attempts, from the start of the first, in milliseconds. Null: no limit.
  retry_ms     bigint,
  -- The resolver that the step names for its handler.
  resolver     text,
  primary key (template_id, idx)
);

create table tasker.template_edge (
  template_id int not null references tasker.template (id) on delete cascade,
  parent      int not null,
  child       int not null,
  primary key (template_id, parent, child)
);
create unique index template_edge_child on tasker.template_edge (template_id, child, parent);

-- The template step of a step. The index of a batch worker is (template step + 1) << 17 | its number in the batch.
create function tasker.template_idx(int) returns int language sql immutable parallel safe
  return case when $1 >= 131072 then ($1 >> 17) - 1 else $1 end;

-- The name of a step: of its part of a batch, or of its template step. For a step of an element, with the element: `label[3]`.
create function tasker.step_name(part text, step text, idx int) returns text language sql immutable parallel safe
  return coalesce($1, case when $3 >= 131072 then $2 || '[' || ($3 & 131071) || ']' else $2 end);

-- The version of each template that requests without a version mean (docs/decisions/0033).
create table tasker.active_version (
  namespace_id int not null references tasker.namespace on delete cascade,
  name         text not null,
  version      text not null,
  -- Set by an activation: registrations of higher versions do not change the version.
  pinned       boolean not null default false,
  -- Grows when the version changes or another version is registered. Creations compare it under a share lock.
  revision     int not null default 1,
  changed_at   timestamptz not null default now(),
  primary key (namespace_id, name)
);

-- Tasks and steps. No index covers a column that a claim or a recording usually changes.

-- The state is a function of the counters. Ready and running steps are counted together (`n_active`), so that a claim,
-- which moves a step from one to the other, need not touch the task. `waiting_for_dependencies` means that steps are open
-- and none of them can move. It occurs only while a step waits, which `shown_state` adds. While the task is undone, only the
-- steps that undo others are counted.
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
         when n_open = 0 then case when undo_at is null then 'complete'::tasker.task_state else 'undone' end
         when undo_at is not null and n_active + n_retry + n_wait > 0 then 'undoing'::tasker.task_state
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
  -- How often a part of the task was run again, and when that was last.
  reruns                int,
  rerun_at              timestamptz,
  copy_of               uuid,
  -- When it was restored from an archive. Retention counts from then, or the next prune would delete it again.
  restored_at           timestamptz,
  -- The number of steps that wait, and of the wait for the start.
  n_wait                int not null default 0,
  -- The credential that created the task over HTTP, by the name under which its actions are recorded. Null: created by a
  -- program with the database.
  created_with          text,
  -- When the task began to be undone.
  undo_at               timestamptz,
  constraint task_rank check (rank between -100 and 100),
  constraint task_counters check (n_active >= 0 and n_retry >= 0 and n_error >= 0 and n_active + n_retry + n_error <= n_open),
  constraint task_verdict check (verdict in ('error', 'cancelled', 'resolved_manually')),
  constraint task_done_has_time check ((done_at is not null) = (verdict is not null or n_open = 0)),
  constraint task_waits check (n_wait >= 0)
) with (fillfactor = 50);
-- The sweep of a lost worker, the adoption of claims, and the search for steps that are missing from the queue read only
-- the tasks in `steps_in_process`. Most tasks change their state once, when they end, so their updates stay HOT.
create index task_open_states on tasker.task (state, task_uuid) where done_at is null;
create index task_copies on tasker.task (copy_of) where copy_of is not null;
-- The open tasks that a signal by correlation id goes to.
create index task_correlation on tasker.task (correlation_id) where correlation_id is not null and done_at is null;

create function tasker.shown_state(state tasker.task_state, n_wait int) returns tasker.task_state
  language sql immutable parallel safe
  return case when n_wait > 0 and state in ('waiting_for_dependencies', 'blocked_by_failures')
              then 'waiting'::tasker.task_state else state end;

-- `attempts` counts every start and only grows. `spared` counts the starts that are not attempts: released, or before a
-- reset. `claim` is the fence while the step runs, and afterwards names the worker that ran it last.
create table tasker.step (
  task_uuid        uuid not null,
  idx              int not null,
  state            tasker.step_state not null,
  remaining        int not null,
  attempts         int not null default 0,
  spared           int not null default 0,
  max_attempts     int not null,
  retryable        boolean not null,
  claim            bigint,
  result           jsonb,
  next_at          timestamptz,
  started_at       timestamptz,
  done_at          timestamptz,
  -- The number of the rerun that the current run belongs to. Null: the first run.
  rerun            int,
  -- The attempts of earlier runs. Attempt numbers continue after them.
  earlier_attempts int,
  -- The attempts before the last reset. Null: it was never reset.
  reset_attempts   int,
  primary key (task_uuid, idx),
  constraint step_attempts check (attempts >= spared and spared >= 0 and max_attempts >= 1),
  constraint step_waits_for_parents check (remaining >= 0 and (remaining = 0 or state in ('pending', 'cancelled', 'resolved_manually', 'complete'))),
  constraint step_running_has_claim check (state <> 'in_progress' or (claim is not null and started_at is not null)),
  constraint step_retry_has_time check ((state = 'waiting_for_retry') <= (next_at is not null))
) with (fillfactor = 45);

-- The outcome of an analyzer: `size` steps made from the template step `worker_idx`, of which at most `parallelism` are
-- active (queued, running or waiting for a retry) at once. The steps from `next_idx` on have not started yet.
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

-- The list of a step of the type `for_each`: `total` elements, for each of which the steps `first_step` to
-- `first_step + n_steps - 1` of the template run. The elements from `started` on have no steps yet. Those in `open` have
-- started and not ended; at most `parallelism`, unless an operator started failed ones again.
create table tasker.for_each (
  task_uuid       uuid not null,
  idx             int not null,
  first_step      int not null,
  n_steps         int not null,
  total           int not null,
  parallelism     int not null,
  on_failure      text not null,
  started         int not null default 0,
  open            int[] not null default '{}',
  completed       int not null default 0,
  failed          int not null default 0,
  -- The element whose failure stopped the others.
  stopped_by      int,
  -- The open steps of failed elements, and the failures among them, which the counters of the task include.
  failed_open     int not null default 0,
  failed_blocking int not null default 0,
  primary key (task_uuid, idx),
  constraint for_each_policy check (on_failure in ('block', 'continue', 'stop')),
  constraint for_each_counts check (started between 0 and total and total between 1 and 100000 and parallelism >= 1
    and completed + failed + cardinality(open) <= started and failed_blocking <= failed_open)
) with (fillfactor = 50);

-- The elements of a list and their labels, in pages of 256.
create table tasker.for_each_page (
  task_uuid uuid not null,
  idx       int not null,
  page      int not null,
  elements  jsonb not null,
  keys      jsonb,
  primary key (task_uuid, idx, page)
);

-- The failed elements of a list, with their open steps and failures.
create table tasker.failed_element (
  task_uuid uuid not null,
  idx       int not null,
  element   int not null,
  open      int not null,
  blocking  int not null,
  primary key (task_uuid, idx, element)
);

-- The progress of a step, which its handler saved while it held the step. `attempt` is the start that saved it last.
create table tasker.checkpoint (
  task_uuid uuid not null,
  idx       int not null,
  attempt   int not null,
  data      jsonb not null,
  saved_at  timestamptz not null default now(),
  primary key (task_uuid, idx)
) with (fillfactor = 50);

-- Identities of tasks that have one. The identity of a pruned task stays, unless the prune released it: then the same
-- request is refused.
create table tasker.task_identity (
  hash         bytea primary key,
  task_uuid    uuid not null,
  prune_id     int,
  pruned_at    timestamptz,
  -- The key in the header Idempotency-Key, with its sender. Null for requests without such a header.
  request_hash bytea,
  -- A digest of the request, which tells a repeated request from another request with the same key.
  digest       bytea
);
create index task_identity_task on tasker.task_identity (task_uuid);
create unique index task_identity_request on tasker.task_identity (request_hash) where request_hash is not null;

-- The task that took a key of `unique` last (docs/decisions/0044). The hash covers the namespace, the name of the template
-- and the key. The key is free if the task has ended or does not exist. `task_uuid` has no index, so that updates stay HOT.
create table tasker.task_key (
  hash      bytea primary key,
  task_uuid uuid not null
) with (fillfactor = 70);

-- The queue

-- Ready steps that no worker has claimed. Rows are inserted and deleted, never updated.
create table tasker.queue (
  namespace_id int not null,
  rank         smallint not null,
  id           bigint generated always as identity,
  task_uuid    uuid not null,
  idx          int not null,
  template_id  int not null,
  primary key (namespace_id, rank, id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Flow control (docs/decisions/0043)

-- The limits of templates, by name. All versions of a template share them, and the last registration sets their values.
create table tasker.flow_limit (
  id           int generated always as identity primary key,
  namespace_id int not null references tasker.namespace (id),
  template     text not null,
  name         text not null,
  -- Maximum number of attempts at the same time, for each key. Null: not limited.
  concurrent   int,
  -- Maximum number of starts for each second, for each key. Null: not limited.
  rate         float8,
  -- Number of starts that may follow each other at once.
  burst        int not null,
  keyed        boolean not null,
  -- Whether its keys take turns.
  fair         boolean not null,
  changed_at   timestamptz not null default now(),
  unique (namespace_id, template, name),
  constraint flow_limit_values check (concurrent > 0 and rate > 0 and burst > 0 and coalesce(concurrent, rate) is not null)
);

-- Lines of ready steps that have the same limits and the same keys. The id is the part of the queue with their rows.
create table tasker.limit_line (
  id         int generated always as identity (minvalue 402653184 maxvalue 536870911 cycle) primary key,
  -- The ids of the limits, ascending, and the key for each of them. The key of a limit without keys is empty.
  limits     int[] not null,
  keys       text[] not null,
  -- The place among the lines of the same limits: the rank and the queue id of its first step, or 0 and its last turn.
  rank       smallint not null default 0,
  place      bigint not null default 0,
  -- The limit, and its key, that have no room for the first step. Null: the line is to be read.
  held_by    int,
  held_key   text,
  -- When there will be room. Null: when an attempt ends.
  held_until timestamptz,
  unique (limits, keys)
);
create index limit_line_next on tasker.limit_line (limits, rank, place) where held_by is null;
create index limit_line_held on tasker.limit_line (held_by, held_key) where held_by is not null;
create index limit_line_until on tasker.limit_line (held_until) where held_until is not null;

-- The attempts that have been admitted. A row counts while its step is in the queue or runs with this attempt, so an attempt
-- that ends in any way no longer counts. The next admission deletes its rows.
create table tasker.limit_holder (
  limit_id    int not null references tasker.flow_limit (id) on delete cascade,
  key         text not null,
  task_uuid   uuid not null,
  idx         int not null,
  attempt     int not null,
  -- The row of the queue by which the step can be claimed.
  part        int not null,
  rank        smallint not null,
  queue_id    bigint not null,
  admitted_at timestamptz not null default now(),
  primary key (limit_id, key, task_uuid, idx)
);

-- The paces of limits with a rate: the time at which the next start would be due if all starts were evenly spaced.
create table tasker.limit_pace (
  limit_id int not null references tasker.flow_limit (id) on delete cascade,
  key      text not null,
  due_at   timestamptz not null,
  primary key (limit_id, key)
);

-- Steps that wait for a retry.
create table tasker.timer (
  due_at      timestamptz not null,
  task_uuid   uuid not null,
  idx         int not null,
  template_id int not null,
  rank        smallint not null,
  primary key (due_at, task_uuid, idx)
);

-- The ready and running steps of each namespace, noted once a minute and kept for an hour. The queue shows by them
-- whether it grows. `ready` is counted up to 100,000.
create table tasker.queue_depth (
  at           timestamptz not null,
  namespace_id int not null,
  ready        int not null,
  running      int not null,
  primary key (at, namespace_id)
);

-- Handlers that no live worker has (docs/decisions/0032). Their ready steps are in the queue under
-- -(namespace id + 536870912), or under -(lane + 536870912), where no claim reads.
create table tasker.missing_handler (
  id           bigint generated always as identity primary key,
  namespace_id int not null,
  callable     text not null,
  -- The resolver that the templates name. Null: any.
  resolver     text,
  -- When a worker first missed the handler.
  since        timestamptz not null,
  -- withheld: no live worker has the handler. offered: a worker that may find it through a resolver is being tried.
  -- served: a worker announced it; the row is deleted once the steps are back.
  state        text not null,
  -- The instances of live workers whose resolvers did not find the handler.
  tried        text[] not null default '{}',
  -- Incremented with each change, so that a process that brings the queue in line does not settle a later change.
  revision     int not null default 1,
  changed_at   timestamptz not null default clock_timestamp(),
  -- Whether the queue has been brought in line with the state.
  settled      boolean not null default false,
  constraint missing_handler_state check (state in ('withheld', 'offered', 'served'))
);
create unique index missing_handler_of on tasker.missing_handler (namespace_id, callable, resolver) nulls not distinct;

-- Pauses of tasks, templates and namespaces (docs/decisions/0020). Their ready steps are in the queue under the negative
-- id of their namespace or lane, where no claim reads.
create table tasker.pause (
  id            bigint generated always as identity primary key,
  -- A task, or a namespace. With a name: only that template of the namespace; with a version: only that version of it.
  task_uuid     uuid,
  namespace_id  int,
  name          text,
  version       text,
  paused_at     timestamptz not null default clock_timestamp(),
  paused_by     text not null,
  reason        text,
  resumed_at    timestamptz,
  resumed_by    text,
  -- Whether the queue has been brought in line with this pause, or with its end.
  settled       boolean not null default false,
  constraint pause_object check (num_nonnulls(task_uuid, namespace_id) = 1
    and (name is null or namespace_id is not null) and (version is null or name is not null)),
  constraint pause_end check (num_nulls(resumed_at, resumed_by) in (0, 2) and resumed_at >= paused_at)
);
-- An object has at most one pause that holds. Statements that make steps ready probe this index, which is usually empty.
create unique index pause_holds on tasker.pause (task_uuid, namespace_id, name, version) nulls not distinct
  where resumed_at is null;
-- All pauses of an object, whose time the limits of a lifecycle leave out.
create index pause_of_object on tasker.pause (task_uuid, namespace_id);
create index pause_unsettled on tasker.pause (id) where not settled;

-- Workers

create table tasker.worker (
  id             bigint generated always as identity primary key,
  name           text not null,
  host           text not null,
  pid            int not null,
  namespaces     text[] not null,
  callables      text[] not null,
  concurrency    int not null,
  state          tasker.worker_state not null default 'alive',
  started_at     timestamptz not null default now(),
  lease_until    timestamptz not null,
  -- The same under every id that a worker registers with. It registers again when its lease was lost.
  instance       uuid,
  version        text,
  -- The last heartbeat, and what it reported: used slots, attempts recorded since the start, their rates, in attempts a
  -- second over the last minute, and the longest delay of the event loop since the heartbeat before.
  seen_at        timestamptz,
  running        int,
  completed      bigint,
  failed         bigint,
  completed_rate real,
  failed_rate    real,
  loop_lag_ms    int,
  -- Whether it takes steps: draining means that it takes none and still holds some, drained that it holds none.
  phase          text,
  -- An operator asked it to stop taking steps.
  drain_at       timestamptz,
  drain_by       text,
  drain_reason   text,
  -- The version of the HTTP protocol that the worker speaks (docs/decisions/0030). Null: it uses the database itself.
  protocol       int,
  -- The slots whose attempt is over, for example after a timeout, while the handler has not settled.
  hung           int,
  -- Whether the worker starts only handlers that `callables` covers, and none was removed from it. If such a worker is
  -- lost, it has not started a step whose handler it did not announce.
  announces_all  boolean not null default false,
  constraint worker_phase check (phase in ('running', 'draining', 'drained')),
  constraint worker_drain check (num_nulls(drain_at, drain_by) in (0, 2))
);
create index worker_living on tasker.worker (lease_until) where state in ('alive', 'dead');
create index worker_gone on tasker.worker (lease_until) where state in ('buried', 'stopped');

-- The names of workers that ended long ago, for history and steps.
create table tasker.past_worker (
  id   bigint primary key,
  name text not null,
  host text not null
);

-- The claims of workers over HTTP, so that a repeated request claims nothing more.
create table tasker.http_claim (
  worker_id bigint not null,
  request   int not null,
  made_at   timestamptz not null default now(),
  primary key (worker_id, request)
);

-- The steps that workers over HTTP hold. A row may outlive its step's attempt, because it is deleted after the commit: the
-- fence of the step decides. The worker's id is in the upper bits of the claim.
create table tasker.http_step (
  claim         bigint not null,
  task_uuid     uuid not null,
  idx           int not null,
  timeout_ms    bigint,
  due_at        timestamptz,
  -- The heartbeat since which the worker no longer lists the step.
  missing_since timestamptz,
  primary key (claim, task_uuid, idx)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index http_step_due on tasker.http_step (due_at) where due_at is not null;

-- History and logs

-- One row for each attempt that ended. `attempt` is the number of the start, which never repeats. `number` is the number of
-- the attempt as its handler saw it, without starts that did not count. It is null if both are the same, which keeps usual
-- rows small. The tables below that have `number` use it in the same way.
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
  -- The transaction that wrote the row. Statistics count the row once this transaction is committed, in whatever order
  -- that happens. Null: not counted, because it was restored from an archive.
  tx          bigint default txid_current(),
  number      int,
  primary key (task_uuid, idx, attempt)
);
-- A range of pages gets its entry only once it is full, so recording adds nothing to this index.
create index history_tx on tasker.history using brin (tx);

-- Adds full ranges to the index. An ordinary user may not do this with a table of another user.
create function tasker.summarize_history() returns int language sql security definer set search_path = pg_catalog
  as $$ select brin_summarize_new_values('tasker.history_tx'::regclass) $$;

-- The earlier runs of steps: the state and result of a step when a rerun reset or removed it.
create table tasker.earlier_step (
  task_uuid   uuid not null,
  idx         int not null,
  -- The number of the run, as in `step`; 0: the first.
  rerun       int not null,
  -- The rerun that ended it.
  replaced_by int not null,
  -- The name of a batch worker, which may be created again with another name.
  name        text,
  state       tasker.step_state not null,
  -- Its last attempt, and the fence of that.
  attempts    int not null,
  claim       bigint,
  result      jsonb,
  done_at     timestamptz,
  number      int,
  primary key (task_uuid, idx, rerun)
);

-- The lines that handlers logged, one row for each attempt. Text and not jsonb, because a line may have characters that
-- jsonb rejects; in JSON text they are escaped.
create table tasker.step_log (
  task_uuid  uuid not null,
  idx        int not null,
  attempt    int not null,
  lines      text not null,
  -- Earlier lines that were not kept.
  dropped    int not null default 0,
  written_at timestamptz not null default now(),
  number     int,
  primary key (task_uuid, idx, attempt)
);

-- The audit, and actions on many tasks

-- The actions of operators and of the lifecycle, on a step (`idx`), on a task (`idx` is null) or on something else
-- (`target`). The rows outlive the tasks.
create table tasker.operator_action (
  id         bigint generated always as identity primary key,
  task_uuid  uuid,
  idx        int,
  action     text not null,
  from_state text,
  to_state   text,
  actor      text not null,
  reason     text,
  at         timestamptz not null default now(),
  -- The object of an action that is not on a task: `template shop/fulfil@1.0.0`, `namespace shop`, `worker w1`, `bulk 12`.
  target     text,
  -- Where the action came from: `library`, `cli`, `rest`, `lifecycle`.
  door       text,
  bulk_id    bigint,
  details    jsonb,
  -- As in `history`.
  tx         bigint default txid_current(),
  constraint operator_action_known check (action ~ '^[a-z_]{1,40}$'),
  constraint operator_action_object check (task_uuid is not null or target is not null)
);
create index operator_action_task on tasker.operator_action (task_uuid, id);
create index operator_action_at on tasker.operator_action (at, id);
create index operator_action_actor on tasker.operator_action (actor, at, id);
create index operator_action_action on tasker.operator_action (action, at, id);
create index operator_action_target on tasker.operator_action (target, at, id) where target is not null;
create index operator_action_bulk on tasker.operator_action (bulk_id, at, id) where bulk_id is not null;
create index operator_action_tx on tasker.operator_action (tx) where tx is not null;

-- An action on many tasks. `runner` is the process that runs it. Each resume gets another one, which is the fence of its
-- chunks.
create table tasker.bulk (
  id           bigint generated always as identity primary key,
  action       text not null,
  -- The filter as it was given. Null: ids were given.
  filter       jsonb,
  -- The result that `step resolve` gives to the steps.
  result       jsonb,
  state        text not null default 'selected',
  actor        text not null,
  reason       text,
  door         text not null,
  matched      int not null default 0,
  done         int not null default 0,
  skipped      int not null default 0,
  failed       int not null default 0,
  runner       uuid,
  created_at   timestamptz not null default now(),
  started_at   timestamptz,
  seen_at      timestamptz not null default now(),
  ended_at     timestamptz,
  -- The key of the request that began it, and the SHA-256 of the request, so that a repeated request begins nothing.
  request_key  text,
  request_hash bytea,
  constraint bulk_action check (action in ('task_cancel', 'task_retry', 'task_resolve', 'task_delete', 'task_redrive', 'task_undo',
    'step_retry', 'step_reset', 'step_resolve')),
  constraint bulk_state check (state in ('selected', 'running', 'stopped', 'done')),
  constraint bulk_counts check (done + skipped + failed <= matched),
  constraint bulk_request check ((request_key is null) = (request_hash is null))
) with (fillfactor = 50);
create unique index bulk_request_key on tasker.bulk (actor, request_key) where request_key is not null;

-- The tasks (idx -1) or steps of a bulk action. `seen` are the failures that were selected, as pairs of the index of a step
-- and the number of its attempt. `outcome` is null until the item is done.
create table tasker.bulk_item (
  bulk_id   bigint not null,
  task_uuid uuid not null,
  idx       int not null default -1,
  seen      int[],
  outcome   text,
  why       text,
  primary key (bulk_id, task_uuid, idx),
  constraint bulk_item_outcome check (outcome in ('done', 'skipped', 'failed'))
) with (fillfactor = 70);
create index bulk_item_why on tasker.bulk_item (bulk_id, outcome, task_uuid, idx) where outcome in ('skipped', 'failed');

-- Waits, signals and votes (docs/decisions/0025)

-- One row for each step that waits or has waited, and one with idx -1 for the start of a task. `due_at` is when the engine
-- must act: the end (`until`), or a reminder before it. A row whose wait has ended remains until the task is deleted, so
-- that a late caller learns what ended it.
create table tasker.wait (
  task_uuid   uuid not null,
  idx         int not null,
  kind        text not null,
  attempt     int not null default 0,
  claim       bigint,
  template_id int not null,
  rank        smallint not null,
  since       timestamptz not null default now(),
  until       timestamptz,
  due_at      timestamptz,
  calls       int not null default 0,
  settings    jsonb not null default '{}',
  progress    jsonb not null default '{}',
  ended_at    timestamptz,
  ended_by    text,
  primary key (task_uuid, idx),
  constraint wait_kind check (kind in ('start', 'timer', 'signal', 'approval', 'task', 'tasks', 'completion', 'call')),
  constraint wait_of_start check ((kind = 'start') = (idx = -1)),
  constraint wait_end check (num_nulls(ended_at, ended_by) in (0, 2))
) with (fillfactor = 50);
create index wait_due on tasker.wait (due_at) where ended_at is null and due_at is not null;
-- The open approvals, the oldest first.
create index wait_approvals on tasker.wait (since, task_uuid, idx) where kind = 'approval' and ended_at is null;
-- For overviews of the open waits. `kind is not null` keeps the index away from lookups of one open wait by its key: with
-- the statistics of an empty table, it would seem as good as the key, and be read as a whole.
create index wait_open on tasker.wait (kind, since) where ended_at is null and kind is not null;

-- The child tasks that steps have started. `attempt` is the start of the step that waits for the child: a later start has a
-- child of its own. A row is settled when the end of the child was delivered to its step, or no step waits for it any more.
-- A child that a handler has started has a key, which is unique in a run of the step. `run` is the number of attempts before
-- that run, and `attempt` is null until the step waits for the child. Such a row is settled when the end of the child was seen.
-- While the parent is undone, a row is open again until the child is undone.
create table tasker.child_task (
  child_uuid  uuid primary key,
  parent_uuid uuid not null,
  idx         int not null,
  attempt     int,
  -- The task without a parent, above all others.
  root_uuid   uuid not null,
  level       smallint not null,
  -- Whether the child continues when its step no longer waits for it.
  abandoned   boolean not null,
  settled_at  timestamptz,
  run         int,
  key         text,
  -- The step that undoes the child, and the start of it that waits for the end of the undo.
  undo_idx     int,
  undo_attempt int,
  constraint child_undo check ((undo_idx is null) = (undo_attempt is null)),
  constraint child_level check (level between 1 and 8),
  constraint child_run check ((run is null) = (key is null) and (key is not null or attempt is not null))
);
create unique index child_key on tasker.child_task (parent_uuid, idx, run, key) where key is not null;
create index child_of_step on tasker.child_task (parent_uuid, idx);
create index child_of_root on tasker.child_task (root_uuid);
create index child_open on tasker.child_task (child_uuid) where settled_at is null;

-- Tokens by which another system completes a step. Only a hash is stored.
create table tasker.completion_token (
  task_uuid uuid not null,
  idx       int not null,
  attempt   int not null,
  hash      bytea not null,
  made_at   timestamptz not null default now(),
  primary key (task_uuid, idx, attempt)
);

-- The signals of a task. `seq` is the order of their arrival, because each arrives under the lock of its task. A step that
-- waits for several signals holds those that have arrived while it waits: `held_by`, with the attempt, so that a hold ends
-- with its wait. A signal that a step was completed with is used. Keys are unique for a task and a name.
create table tasker.signal (
  task_uuid    uuid not null,
  seq          bigint generated always as identity,
  signal_id    uuid not null,
  name         text not null,
  key          text,
  payload      jsonb not null,
  size         int not null,
  sender       text,
  arrived_at   timestamptz not null default now(),
  held_by      int,
  held_attempt int,
  used_by      int,
  used_attempt int,
  used_at      timestamptz,
  primary key (task_uuid, seq),
  constraint signal_hold check (num_nulls(held_by, held_attempt) in (0, 2)),
  constraint signal_use check (num_nulls(used_by, used_attempt, used_at) in (0, 3))
) with (fillfactor = 70);
create unique index signal_key on tasker.signal (task_uuid, name, key) where key is not null;
-- Also keeps a lost attempt that is committed late from storing a signal a second time.
create unique index signal_ids on tasker.signal (signal_id, task_uuid);

-- Signals that a caller sent in a transaction of its own. It must not hold the lock of a task, so any process uses them
-- after its commit. `target`: the task, or what finds it. A row remains for a while, with the outcome.
create table tasker.signal_inbox (
  seq      bigint generated always as identity primary key,
  id       uuid not null,
  target   jsonb not null,
  name     text not null,
  key      text,
  payload  jsonb not null,
  sender   text,
  sent_at  timestamptz not null default now(),
  tries    int not null default 0,
  retry_at timestamptz,
  done_at  timestamptz,
  outcome  jsonb,
  constraint signal_inbox_end check (num_nulls(done_at, outcome) in (0, 2))
) with (fillfactor = 50);
create index signal_inbox_open on tasker.signal_inbox (seq) where done_at is null;
create index signal_inbox_done on tasker.signal_inbox (done_at) where done_at is not null;
create index signal_inbox_ids on tasker.signal_inbox (id);

-- Votes on approvals: one for each person and wait. `voted_as`: the assignee that the person voted as, a user or a role.
-- Null: everyone may vote.
create table tasker.vote (
  task_uuid uuid not null,
  idx       int not null,
  attempt   int not null,
  voter     text not null,
  decision  text not null,
  comment   text,
  form      jsonb,
  voted_as  text,
  voted_at  timestamptz not null default now(),
  changes   int not null default 0,
  primary key (task_uuid, idx, attempt, voter),
  constraint vote_decision check (decision in ('approve', 'reject'))
);

-- Schedules

-- The clock that decides whether a schedule is due. The test kit replaces it in its own database: a due time is a time of
-- day, so the kit cannot move due times back as it does with timers. It is inlined, so the index of due schedules is used.
create function tasker.schedule_now() returns timestamptz language sql stable parallel safe return now();

-- `spec` is the schedule as it was given, in the form of src/model/schedule/spec.ts. `wake_at` is when the engine must act:
-- the next due time plus its jitter, or sooner while a due time is queued. Null: it is paused, or has no further due time.
create table tasker.schedule (
  schedule_id  uuid primary key,
  name         text not null,
  source       text,
  spec         jsonb not null,
  digest       text not null,
  -- Digests of the contents that files have had, the newest last. A start must not restore an earlier one.
  earlier      text[] not null default '{}',
  anchor       timestamptz not null default now(),
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  passed_at    timestamptz,
  next_due     timestamptz,
  wake_at      timestamptz,
  queued_due   timestamptz,
  firings      bigint not null default 0,
  paused_at    timestamptz,
  paused_by    text,
  pause_reason text,
  constraint schedule_name unique (name),
  constraint schedule_pause check ((paused_at is null) = (paused_by is null)),
  constraint schedule_paused_sleeps check (paused_at is null or wake_at is null)
) with (fillfactor = 70);
create index schedule_wake on tasker.schedule (wake_at) where wake_at is not null;

-- One row for each due time that was passed, and for each task that was created by hand. A row with `until` is for all due
-- times from `due_at` to `until`, which were left out for one reason. The newest thousand of a schedule are kept.
create table tasker.schedule_firing (
  schedule_id uuid not null,
  due_at      timestamptz not null,
  until       timestamptz,
  cause       text not null,
  outcome     text not null,
  task_uuid   uuid,
  reason      text,
  at          timestamptz not null default now(),
  primary key (schedule_id, due_at),
  constraint firing_cause check (cause in ('due', 'catch_up', 'queued', 'trigger', 'backfill')),
  constraint firing_outcome check (outcome in ('created', 'queued', 'skipped', 'missed', 'failed')),
  constraint firing_task check ((outcome = 'created') = (task_uuid is not null))
);

-- The schedule that created a task. `open` marks the tasks that a schedule has to check: those that may not have ended.
create table tasker.scheduled_task (
  task_uuid       uuid primary key,
  schedule_id     uuid not null,
  name            text not null,
  due_at          timestamptz not null,
  previous_due_at timestamptz,
  cause           text not null,
  open            boolean not null,
  failure_noted   boolean not null default false
);
create index scheduled_task_open on tasker.scheduled_task (schedule_id) where open;

-- Limits of the lifecycle, and dead letters

-- Open tasks with limits, and when each is checked next. Other tasks have no row. With a rule: noted as stale, because
-- nothing has moved since then. Rows of tasks that ended are deleted at the next check.
create table tasker.task_watch (
  task_uuid  uuid primary key,
  check_at   timestamptz not null,
  rule       text,
  minutes    int,
  since      timestamptz,
  noted_at   timestamptz,
  -- The thresholds of the configuration, in minutes: for its duration, and for waiting for dependencies, waiting for a
  -- retry and steps in process. Null: only the limits of its template apply.
  thresholds int[],
  constraint task_watch_note check (num_nulls(rule, minutes, since, noted_at) in (0, 4))
);
create index task_watch_due on tasker.task_watch (check_at);
create index task_watch_stale on tasker.task_watch (task_uuid) where rule is not null;

-- Tasks that a person must look after. A task has at most one open entry, and any number of closed ones.
create table tasker.dead_letter (
  id             uuid primary key default gen_random_uuid(),
  task_uuid      uuid not null,
  template_id    int not null,
  reason         text not null,
  status         text not null default 'pending',
  -- The state of the task when the entry was made.
  original_state text not null,
  -- Set by operators: higher is more urgent.
  priority       smallint not null default 0,
  assignee       text,
  -- The reason in a sentence.
  cause          text not null,
  -- The limit that was exceeded, and since when it counts.
  rule           text,
  minutes        int,
  since          timestamptz,
  -- The last change of the task when the entry was made. If the task has changed since then, it has moved on.
  moved_at       timestamptz not null,
  -- The task and its steps when the entry was made, of a bounded size.
  snapshot       jsonb not null,
  metadata       jsonb,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  resolved_at    timestamptz,
  resolved_by    text,
  -- The outcome in the words of an operator, or why the entry was closed automatically.
  resolution     text,
  -- The place in the queue among entries of one priority: the time of the entry, earlier by a head start for each reason.
  queue_at       timestamptz not null,
  constraint dead_letter_reason check (reason in ('staleness_timeout', 'max_retries_exceeded', 'dependency_cycle_detected',
    'worker_unavailable', 'manual_dlq')),
  constraint dead_letter_status check (status in ('pending', 'manually_resolved', 'permanently_failed', 'cancelled')),
  constraint dead_letter_resolved check ((status = 'pending') = (resolved_at is null) and (resolved_at is null) = (resolved_by is null)),
  constraint dead_letter_limit check (num_nulls(rule, minutes, since) in (0, 3))
) with (fillfactor = 80);
create unique index dead_letter_open on tasker.dead_letter (task_uuid) where status = 'pending';
create index dead_letter_task on tasker.dead_letter (task_uuid, created_at);
create index dead_letter_created on tasker.dead_letter (created_at, id);
-- Statistics read only this index.
create index dead_letter_status on tasker.dead_letter (status, created_at, id) include (reason, template_id, assignee, resolved_at);
-- The queue, and the queue of one template, reason or assignee.
create index dead_letter_queue on tasker.dead_letter ((-priority), queue_at, id) where status = 'pending';
create index dead_letter_template on tasker.dead_letter (template_id, (-priority), queue_at, id) where status = 'pending';
create index dead_letter_reason on tasker.dead_letter (reason, (-priority), queue_at, id) where status = 'pending';
create index dead_letter_assignee on tasker.dead_letter (assignee, (-priority), queue_at, id) where status = 'pending';

create table tasker.dead_letter_note (
  id       bigint generated always as identity primary key,
  entry_id uuid not null references tasker.dead_letter (id) on delete cascade,
  at       timestamptz not null default now(),
  author   text not null,
  note     text not null
);
create index dead_letter_note_entry on tasker.dead_letter_note (entry_id, id);

-- One row: when a process last looked for dead letters, how far it came with the open ones, and when one last looked for
-- tasks that the thresholds of the configuration apply to.
create table tasker.dead_letter_look (
  single     boolean primary key default true,
  looked_at  timestamptz not null default '-infinity',
  checked_to uuid,
  watched_at timestamptz not null default '-infinity',
  constraint dead_letter_look_single check (single)
) with (fillfactor = 50);
insert into tasker.dead_letter_look default values;

-- Domain events

-- Domain events are written in the transaction of the result that they describe, and never changed. Within a task, ids are
-- in the order of its commits, because each recording locks the task. Across tasks they are not: an id may be committed
-- after a greater one. A transaction that inserts events has locked the task before, in a statement of its own. So it has a
-- transaction id before it takes an id of this table from the sequence, which `event_gap` relies on.
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
  -- What the publisher adds. Ids and times have columns.
  metadata  jsonb,
  -- The execution result of the attempt, without its `result` if that is the payload.
  execution jsonb not null,
  fired_at  timestamptz not null default now(),
  number    int
);
-- Not BRIN: pages from which events were deleted take later ones, until each range of pages spans all times. Times have no
-- index, because they grow with the ids (src/store/event-time.ts).
create index domain_event_ids on tasker.domain_event (event_id);
create index domain_event_tasks on tasker.domain_event (task_uuid);
-- Large values are stored uncompressed beside the table, so that their sizes are known without reading them.
alter table tasker.domain_event alter payload set storage external, alter execution set storage external;

-- Lists of events in the order in which they were seen (docs/decisions/0014). One process at a time writes them, under a
-- lock. Each id up to `last_id` was seen, or is in `event_gap`. Readers follow the lists, so no event can appear behind
-- them.
create table tasker.event_head (
  one     boolean primary key default true,
  last_id bigint not null default 0,
  chunk   bigint not null default 0,
  constraint event_head_one check (one)
) with (fillfactor = 50);
insert into tasker.event_head default values;

-- Ids that were passed over: rolled back, or not committed yet. The transaction that took such an id has a number below
-- `since`. If no such transaction runs any more and the event is still missing, it will never exist.
create table tasker.event_gap (
  first_id bigint not null,
  last_id  bigint not null,
  since    xid8 not null,
  primary key (first_id, last_id),
  constraint event_gap_not_empty check (first_id <= last_id)
);

-- The lists, in 16 parts. All events of a task are in one part. `total` is the number of ids in this list and in the
-- earlier ones of its part.
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

-- Groups of subscribers. Each group gets each event whose name matches once, however many processes work for the group.
-- `patterns` are those of all its members, and `matching` is the same as a regular expression.
create table tasker.event_group (
  id         int generated always as identity primary key,
  name       text not null unique,
  patterns   text[] not null,
  matching   text not null,
  created_at timestamptz not null default now(),
  seen_at    timestamptz not null default now()
) with (fillfactor = 50);

-- The processes that work for a group, and their patterns. The row of a process that left while others stayed is kept for
-- a while. Rows are written only under a lock on the row of the group.
create table tasker.event_group_member (
  group_id int not null references tasker.event_group (id),
  member   uuid not null,
  patterns text[] not null,
  matching text not null,
  seen_at  timestamptz not null default now(),
  has_left boolean not null default false,
  primary key (group_id, member)
) with (fillfactor = 50);

-- The progress of a group in a part: the lists before `chunk` are done, and the first `done` ids of that list. A process
-- that holds the part delivers the next events. `hold` is the fence, another one for each hold. It stays after the holder
-- has recorded that all is done, so that a holder that missed the answer learns this when it asks again.
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

-- Deliveries beside the cursor: those that failed, those of the same task behind them, and those that are repeated. Only
-- the first delivery of a task is ever due; those behind it are due at infinity. A delivery that is held is due again when
-- the hold ends. There is no foreign key, because each row would lock the row of its group.
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
-- On an expression, so that a lookup of a task of a group cannot use this index: while statistics describe an empty table,
-- it would seem as good as the key, and read everything that waits for the group.
create index event_retry_due on tasker.event_retry ((-group_id), due_at);
create index event_retry_held on tasker.event_retry (holder) where holder is not null;

-- Dead deliveries: those that were abandoned.
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

-- Search (docs/decisions/0019)

-- Searches read these tables, so that `task` and `step` need no index on a column that a state change touches. The process
-- that made a change writes them after its commit.
create table tasker.task_search (
  task_uuid             uuid primary key,
  template_id           int not null,
  state                 tasker.task_state not null,
  created_at            timestamptz not null,
  done_at               timestamptz,
  -- Of a task that has ended: done_at.
  updated_at            timestamptz not null,
  initiator             text,
  source_system         text,
  reason                text,
  tags                  text[],
  correlation_id        uuid,
  parent_correlation_id uuid
);
-- Most tasks are written once, when they have ended. Each index that covers them adds to the cost of every task.
create index task_search_created on tasker.task_search (created_at, task_uuid);
create index task_search_ended on tasker.task_search (done_at, task_uuid) where done_at is not null;
create index task_search_updated on tasker.task_search (updated_at, task_uuid) where done_at is null;
create index task_search_open on tasker.task_search (created_at, task_uuid) where done_at is null;
-- A search reads a range of this index for each template and state, also if it is for all of them. Otherwise a pair of
-- conditions that no task meets would read all tasks that meet the first.
create index task_search_state on tasker.task_search (template_id, state, created_at, task_uuid);
create index task_search_initiator on tasker.task_search (initiator, created_at, task_uuid) where initiator is not null;
create index task_search_source on tasker.task_search (source_system, created_at, task_uuid) where source_system is not null;
create index task_search_reason on tasker.task_search (reason, created_at, task_uuid) where reason is not null;
create index task_search_correlation on tasker.task_search (correlation_id) where correlation_id is not null;
create index task_search_parent on tasker.task_search (parent_correlation_id) where parent_correlation_id is not null;
create index task_search_tags on tasker.task_search using gin (tags) where tags is not null;

-- Only steps that are ready, running, waiting for a retry, failed or resolved by hand, because there are too many others.
-- `fingerprint` is the hash of the pattern of `error`, by which failures are grouped.
create table tasker.step_search (
  task_uuid   uuid not null,
  idx         int not null,
  template_id int not null,
  state       tasker.step_state not null,
  since       timestamptz not null,
  -- Of the task, so that its tasks can be read in their order.
  created_at  timestamptz not null,
  attempts    int not null,
  error_type  text,
  error       text,
  fingerprint bigint,
  worker_id   bigint,
  number      int,
  primary key (task_uuid, idx)
);
create index step_search_task on tasker.step_search (template_id, state, created_at, task_uuid, idx);
create index step_search_since on tasker.step_search (template_id, state, since, task_uuid, idx);
create index step_search_error on tasker.step_search (template_id, error_type, created_at, task_uuid, idx) where error_type is not null;
create index step_search_worker on tasker.step_search (worker_id, since, task_uuid, idx) where worker_id is not null;
-- Finds the tasks of a worker in the order of creation, without sorting all its steps.
create index step_search_of_worker on tasker.step_search (worker_id, created_at, task_uuid, idx) include (template_id, state)
 where worker_id is not null;

-- A part of an error without what differs from case to case: words with a digit (numbers, ids, times, addresses), quoted
-- text, and mail addresses, each replaced by `*`. Lists of them count as one.
create function tasker.error_part(part text) returns text
  language sql immutable parallel safe
  return regexp_replace(regexp_replace(part, '(?:\m[[:alnum:]_]+-)*[[:alnum:]_]*[0-9][[:alnum:]_]*(?:[.:+-][[:alnum:]_]+)*|"[^"]*"|`[^`]*`|(?<![[:alnum:]])''[^'']*''|[^[:space:]<>@]+@[[:alnum:].-]+', '*', 'g'), '\*(?:[, ]+\*)+', '*', 'g');

-- The pattern of an error keeps the first status code of an HTTP response, because `HTTP 404` and `HTTP 503` have different
-- causes. The code is a number after HTTP or status, or a number from 400 on that ends a clause after a word such as
-- `answered`. It is not in quotes. The parts between the `*` of a pattern occur in the error: filters search for them.
create function tasker.error_pattern(error text) returns text
  language sql immutable parallel safe
  return (
    select case when length(head) % 2 = length(replace(head, '"', '')) % 2
                then tasker.error_part(head) || right(found, 3) || tasker.error_part(substr(error, length(head) + 4))
                else tasker.error_part(error) end
      from (select found, left(error, strpos(error, found) + length(found) - 4) head
              from (select substring(error, '(?i)\m((?:(?:http(?:/[0-9.]+)?(?: status| error)?|status(?:[ _-]?code)?)(?:: | = | of |[ :=])|(?:code|returned|answered|received|got|with)(?:: | an? |[ :=])(?=[45][0-9][0-9](?:$|[,;)]|[:.](?:$|[[:space:]])| (?:after|at|by|for|from|in|on|to|when)\M)))[1-5][0-9][0-9])(?![[:alnum:]_]|[.:+-][[:alnum:]_])') found offset 0) x offset 0) y);

-- The processes that write the search tables: the oldest change that a process has not written, and its last sign of life.
create table tasker.search_writer (
  id            uuid primary key,
  pending_since timestamptz,
  seen_at       timestamptz not null default now()
) with (fillfactor = 50);

-- One row: the process that keeps the search tables complete, and when they were last compared with the live ones.
create table tasker.search_state (
  single       boolean primary key default true,
  keeper       uuid,
  keeper_until timestamptz not null default now(),
  compared_at  timestamptz not null default now(),
  -- Every transaction before this one had ended when the last comparison began, so a comparison leaves out what it has
  -- not changed. Null: compare all tasks.
  compared_to  xid8,
  constraint search_state_single check (single)
) with (fillfactor = 50);
insert into tasker.search_state default values;

-- The tasks that changed, for streams (docs/decisions/0027). Rows are written after the commit of the changes, by a process
-- that holds a lock until its own commit, so their numbers are in the order of commits. The newest row is never pruned.
create table tasker.task_change (
  seq   bigint generated always as identity primary key,
  -- Distinguishes the row from another one that got the same number, after a crash or a failover has lost it.
  mark  int not null default floor(random() * 2147483647),
  size  int not null,
  -- Null: changes were lost, so every stream must begin again.
  tasks uuid[]
);
alter table tasker.task_change alter tasks set storage external;
insert into tasker.task_change (size, tasks) values (0, '{}');

-- Statistics of attempts and of ended tasks (docs/decisions/0024)

-- They are written in the background, from the history and the audit, so that recording a step does not touch them.

-- Histograms are lists of count * 512 + number of the bucket. Bucket 0 is for zero; bucket b has the values up to
-- 1.1 ^ (b - 1) microseconds, so a value that represents its bucket is wrong by less than 5 %.
create function tasker.bucket_of(us bigint) returns bigint language sql immutable parallel safe
  return case when us <= 0 then 0 when us > 0 then least(511, 1 + ceil(ln(us::float8) / ln(1.1::float8))::bigint) end;

create function tasker.add_histograms(a bigint[], b bigint[]) returns bigint[] language sql immutable parallel safe
  return (select coalesce(array_agg(n * 512 + bucket order by bucket), '{}') from (
    select e & 511 bucket, sum(e >> 9)::bigint n from (select unnest(a) e union all select unnest(b)) x group by 1) y);

-- One row for each minute, hour, day and ten days in which something ended. `idx` is a step of the template; -1 is for its
-- tasks, -2 for all its steps together. `minutes` is the length of the period, which begins at `at`.
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
  constraint analytics_minutes check (minutes in (1, 60, 1440, 14400))
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
  single         boolean primary key default true,
  counted        pg_snapshot not null,
  counted_at     timestamptz not null default now(),
  since          timestamptz not null default now(),
  after          timestamptz,
  -- Until then, nothing is counted in the background, so that counting takes a small part of the time.
  rest_until     timestamptz not null default now(),
  pruned_at      timestamptz not null default now(),
  -- Periods of ten days, counted from 1970, are summed up to this time. Null: none is.
  ten_days_until timestamptz,
  constraint analytics_state_single check (single)
) with (fillfactor = 50);
insert into tasker.analytics_state (counted) values (pg_current_snapshot());

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

-- Days may still change after they were summed: a transaction commits late, the clock is set back, or an operator deletes
-- days. Then the trigger repeats the sums.
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

-- Retention (docs/decisions/0023)

-- A run of a prune: by an operator, or by the policy in the configuration. Its counts are those of committed transactions.
create table tasker.prune (
  id           int generated always as identity primary key,
  by_policy    boolean not null,
  -- The folder of its archive files. Null: it archives nothing.
  archive      text,
  release_keys boolean not null,
  deleted      int not null default 0,
  -- Its entry in the audit.
  audit_id     bigint not null,
  started_at   timestamptz not null default now(),
  ended_at     timestamptz
) with (fillfactor = 50);

-- One row. The process that prunes, which renews its turn with every transaction, and when the policy is due next.
create table tasker.prune_turn (
  single     boolean primary key default true,
  holder     uuid,
  by_policy  boolean not null default false,
  held_until timestamptz not null default now(),
  due_at     timestamptz not null default now(),
  constraint prune_turn_single check (single)
) with (fillfactor = 50);
insert into tasker.prune_turn default values;

-- The files of archives. The transaction that deletes tasks also notes the length up to which their file is valid, because
-- a process that was killed may have written more.
create table tasker.archive_file (
  name       text primary key,
  prune_id   int not null,
  folder     text not null,
  bytes      bigint not null default 0,
  tasks      int not null default 0,
  created_at timestamptz not null default now(),
  closed_at  timestamptz
) with (fillfactor = 50);
create index archive_file_open on tasker.archive_file (folder) where closed_at is null;

-- Credentials of the HTTP API (docs/decisions/0026)

-- A key or a session is a random text of 256 bits, so its SHA-256 needs no salt.
create table tasker.api_key (
  key_id       uuid primary key,
  -- Actions are recorded under `key:` and this name. During a rotation, two keys have the same name.
  name         text not null,
  -- The beginning of the key, by which people recognize it.
  prefix       text not null,
  hash         bytea not null,
  roles        text[] not null,
  permissions  text[] not null,
  -- Null: all.
  namespaces   text[],
  created_at   timestamptz not null default now(),
  created_by   text not null,
  expires_at   timestamptz,
  revoked_at   timestamptz,
  revoked_by   text,
  -- The key that a rotation created in its place.
  replaced_by  uuid,
  last_used_at timestamptz,
  constraint api_key_hash unique (hash),
  constraint api_key_is_sha256 check (octet_length(hash) = 32),
  constraint api_key_revoked check ((revoked_at is null) = (revoked_by is null)),
  constraint api_key_allows_something check (cardinality(roles) + cardinality(permissions) > 0),
  constraint api_key_sees_something check (cardinality(namespaces) > 0)
);
create unique index api_key_name on tasker.api_key (name) where revoked_at is null and replaced_by is null;

-- Sessions of browsers. A session that began with a key ends with it.
create table tasker.web_session (
  hash        bytea primary key,
  key_id      uuid references tasker.api_key,
  subject     text not null,
  roles       text[] not null,
  permissions text[] not null,
  namespaces  text[],
  created_at  timestamptz not null default now(),
  expires_at  timestamptz not null,
  constraint web_session_is_sha256 check (octet_length(hash) = 32)
);
create index web_session_expires on tasker.web_session (expires_at);
create index web_session_key on tasker.web_session (key_id);
