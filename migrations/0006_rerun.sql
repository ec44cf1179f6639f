-- serves: 1
-- A task may run again from a step, and may be a copy of another. The new columns are null in all other rows, so that they
-- take no space there.

alter table tasker.task
  -- How often a part of the task was run again, and when that was last.
  add column reruns int,
  add column rerun_at timestamptz,
  add column copy_of uuid;
create index task_copies on tasker.task (copy_of) where copy_of is not null;

alter table tasker.step
  -- The number of the rerun that the step's current run belongs to; null: the first run.
  add column rerun int,
  -- The attempts of earlier runs. Attempt numbers continue after them.
  add column earlier_attempts int;

-- The earlier runs of steps: what a step was and had when a rerun put it back or removed it.
create table tasker.earlier_step (
  task_uuid   uuid not null,
  idx         int not null,
  -- The number of the run, as in `step`; 0: the first.
  rerun       int not null,
  -- The rerun that ended it.
  replaced_by int not null,
  -- Of a batch worker, which may be created again with another name.
  name        text,
  state       tasker.step_state not null,
  -- Its last attempt, and the fence of that.
  attempts    int not null,
  claim       bigint,
  result      jsonb,
  done_at     timestamptz,
  primary key (task_uuid, idx, rerun)
);
