-- serves: 1
-- Pauses of tasks, templates and namespaces (docs/decisions/0020). The ready steps that a pause covers are in the queue
-- under the negative id of their namespace, where no claim reads.

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
-- At most one pause of an object holds. Statements that make steps ready probe this index, which is usually empty.
create unique index pause_holds on tasker.pause (task_uuid, namespace_id, name, version) nulls not distinct
  where resumed_at is null;
-- All pauses of an object: the limits of a lifecycle leave their time out.
create index pause_of_object on tasker.pause (task_uuid, namespace_id);
create index pause_unsettled on tasker.pause (id) where not settled;

-- queue_id is where the ready steps of a template go. Programs of earlier versions ignore it.
alter table tasker.template
  add column paused boolean not null default false,
  add column queue_id int not null generated always as (case when paused then -namespace_id else namespace_id end) stored;
