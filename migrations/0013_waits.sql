-- serves: 1
-- Waits: what a step or the start of a task waits for (docs/decisions/0025).

-- The number of waits of a task. The generated state does not know it, because a new expression would rewrite the table:
-- tasker.shown_state adds it. The constraint is not checked for existing rows, which all have 0.
alter table tasker.task
  add column n_wait int not null default 0,
  add constraint task_waits check (n_wait >= 0) not valid;

create function tasker.shown_state(state tasker.task_state, n_wait int) returns tasker.task_state
  language sql immutable parallel safe
  return case when n_wait > 0 and state in ('waiting_for_dependencies', 'blocked_by_failures')
              then 'waiting'::tasker.task_state else state end;

-- Ready steps of templates with steps that wait are in a lane of the queue that programs of earlier versions do not read:
-- those programs cannot run such steps. Their negated id is the lane's paused part.
alter table tasker.template
  add column waits boolean not null default false,
  drop column queue_id;
alter table tasker.template
  add column queue_id int not null generated always as (
    (case when paused then -1 else 1 end) * (namespace_id + case when waits then 1073741824 else 0 end)) stored;

-- One row per step that waits or has waited, and one with idx -1 for the start of a task. `due_at` is when the engine must
-- act: the end (`until`), or a reminder before it. A row whose wait has ended remains until the task is deleted, so that a
-- caller that comes too late learns what ended it.
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
  constraint wait_kind check (kind in ('start', 'timer', 'signal', 'approval', 'completion', 'call')),
  constraint wait_of_start check ((kind = 'start') = (idx = -1)),
  constraint wait_end check (num_nulls(ended_at, ended_by) in (0, 2))
) with (fillfactor = 50);
create index wait_due on tasker.wait (due_at) where ended_at is null and due_at is not null;

-- Tokens by which another system completes a step. Only a hash is stored.
create table tasker.completion_token (
  task_uuid uuid not null,
  idx       int not null,
  attempt   int not null,
  hash      bytea not null,
  made_at   timestamptz not null default now(),
  primary key (task_uuid, idx, attempt)
);
