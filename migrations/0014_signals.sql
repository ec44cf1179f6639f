-- serves: 1
-- Signals that tasks have received, and the votes of people (docs/decisions/0025).

-- The signals of a task, in the order of their arrival, which `seq` gives because each arrives under the lock of its task.
-- A step that waits for several signals holds those that have arrived while it waits: `held_by`, with the attempt, so that
-- a hold ends with its wait. A signal that a step was completed with is used. Keys are unique for a task and a name.
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

-- Signals that a caller sent in a transaction of its own. It must not hold the lock of a task, so that any process uses
-- them after its commit. `target`: the task, or what finds it. A row remains for a while, with the outcome.
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

-- Votes on approvals: one for each person and wait. `voted_as`: the assignee that the person voted as, a user or a role;
-- null: everyone may vote.
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

-- The open approvals, the oldest first.
create index wait_approvals on tasker.wait (since, task_uuid, idx) where kind = 'approval' and ended_at is null;

-- The open tasks that a signal by correlation id goes to. Tasks without one have no entry.
create index task_correlation on tasker.task (correlation_id) where correlation_id is not null and done_at is null;
