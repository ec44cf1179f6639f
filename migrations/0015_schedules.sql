-- serves: 1
-- Schedules, which create tasks at their due times, and what became of each due time.

-- `spec` is the schedule as it was given, in the form of src/model/schedule/spec.ts. `wake_at` is when the engine must act:
-- the next due time plus its jitter, or sooner while a due time is queued. Null: it is paused, or has no further due time.
create table tasker.schedule (
  schedule_id  uuid primary key,
  name         text not null,
  source       text,
  spec         jsonb not null,
  digest       text not null,
  -- Digests of the contents that files have had, the newest last: a start must not restore an earlier one.
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

-- One row per due time that was passed, and per task that was created by hand. A row with `until` is for all due times from
-- `due_at` to `until`, which were left out for one reason. The newest thousand of a schedule are kept.
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

-- The schedule that created a task. `open` finds the tasks that a schedule has to look at: those that may not have ended.
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
