-- serves: 1
-- Dead letters: tasks that a person must look after. A task has at most one open entry, and any number of closed ones.

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
  -- When the task had last moved. It has moved on when it moved again.
  moved_at       timestamptz not null,
  -- The task and its steps when the entry was made, of a bounded size.
  snapshot       jsonb not null,
  metadata       jsonb,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),
  resolved_at    timestamptz,
  resolved_by    text,
  -- What became of it, in the words of an operator, or why it was closed by itself.
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
-- Also the statistics, which read this index alone.
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

-- Few templates send blocked tasks to the dead letters. The index finds them without reading all definitions.
create index template_on_blocked on tasker.template (id) where definition #>> '{lifecycle,on_blocked}' = 'dlq';

-- The thresholds of the configuration for a task, in minutes: for its duration, and for waiting for dependencies, waiting
-- for a retry and steps in process. Null: only the limits of its template apply.
alter table tasker.task_watch add column thresholds int[];

alter table tasker.bulk
  drop constraint bulk_action,
  add constraint bulk_action check (action in ('task_cancel', 'task_retry', 'task_resolve', 'task_delete', 'task_redrive',
    'step_retry', 'step_reset', 'step_resolve'));
