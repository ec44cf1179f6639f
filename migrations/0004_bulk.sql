-- serves: 1
-- Acts on many tasks: what each selected, and how far it came. And what `tasker audit list` and `task delete` look up.

-- A bulk act. Its process holds `runner`, which is another one after each resume: the fence of its chunks.
create table tasker.bulk (
  id          bigint generated always as identity primary key,
  action      text not null,
  -- The filter as it was given; null: ids were given.
  filter      jsonb,
  -- The result that `step resolve` gives to the steps.
  result      jsonb,
  state       text not null default 'selected',
  actor       text not null,
  reason      text,
  door        text not null,
  matched     int not null default 0,
  done        int not null default 0,
  skipped     int not null default 0,
  failed      int not null default 0,
  runner      uuid,
  created_at  timestamptz not null default now(),
  started_at  timestamptz,
  seen_at     timestamptz not null default now(),
  ended_at    timestamptz,
  constraint bulk_action check (action in ('task_cancel', 'task_retry', 'task_resolve', 'task_delete', 'step_retry', 'step_reset', 'step_resolve')),
  constraint bulk_state check (state in ('selected', 'running', 'stopped', 'done')),
  constraint bulk_counts check (done + skipped + failed <= matched)
) with (fillfactor = 50);

-- What a bulk act works on: a task (idx -1) or a step. `seen` are the failures that were selected: pairs of the index of a
-- step and the number of its attempt. `outcome` is null until the item was worked on.
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

create index operator_action_at on tasker.operator_action (at, id);
create index operator_action_actor on tasker.operator_action (actor, at, id);
create index operator_action_action on tasker.operator_action (action, at, id);
create index operator_action_target on tasker.operator_action (target, at, id) where target is not null;
create index operator_action_bulk on tasker.operator_action (bulk_id, at, id) where bulk_id is not null;

-- A task that is deleted releases its identity.
create index task_identity_task on tasker.task_identity (task_uuid);
