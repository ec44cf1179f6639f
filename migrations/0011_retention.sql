-- serves: 1
-- Tasks are pruned some time after their end, and written to archive files before, if that is wanted.

-- The identity of a pruned task stays, unless the prune released it. The same request is refused then.
alter table tasker.task_identity
  add column prune_id int,
  add column pruned_at timestamptz;

-- A restored task counts as ended when it was restored, or the next prune would delete it again.
alter table tasker.task add column restored_at timestamptz;

-- A run of a prune: by an operator, or by the policy in the configuration. Its counts are those of committed transactions.
create table tasker.prune (
  id           int generated always as identity primary key,
  by_policy    boolean not null,
  -- The folder of its archive files; null: it archives nothing.
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

-- The files of archives. The transaction that deletes tasks also notes the length up to which their file is valid: a process
-- that was killed may have written more.
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
