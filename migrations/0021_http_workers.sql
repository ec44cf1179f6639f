-- serves: 1
-- Workers over HTTP (docs/decisions/0030). Their lease is that of their row in tasker.worker, like that of every worker.

-- The version of the HTTP protocol that the worker speaks. Null: it uses the database itself.
alter table tasker.worker add column protocol int;

-- The claims of these workers, so that a repeated request claims nothing more.
create table tasker.http_claim (
  worker_id bigint not null,
  request   int not null,
  made_at   timestamptz not null default now(),
  primary key (worker_id, request)
);

-- The steps that these workers were given. A row may outlive its step's attempt, because it is deleted after the commit: the
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
