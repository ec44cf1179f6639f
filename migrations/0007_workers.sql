-- serves: 1
-- What operators see of a worker, and what they ask of it. Programs of earlier versions leave the columns empty.

alter table tasker.worker
  -- The same under every id that a worker registers with: it registers again when its lease was lost.
  add column instance uuid,
  add column version text,
  -- The last heartbeat, and what it reported: used slots, attempts recorded since the start, their rates, in attempts a
  -- second over the last minute, and the longest delay of the event loop since the heartbeat before.
  add column seen_at timestamptz,
  add column running int,
  add column completed bigint,
  add column failed bigint,
  add column completed_rate real,
  add column failed_rate real,
  add column loop_lag_ms int,
  -- Whether it takes steps: draining means that it takes none and still holds some, drained that it holds none.
  add column phase text,
  -- An operator asked it to stop taking steps.
  add column drain_at timestamptz,
  add column drain_by text,
  add column drain_reason text,
  add constraint worker_phase check (phase in ('running', 'draining', 'drained')),
  add constraint worker_drain check (num_nulls(drain_at, drain_by) in (0, 2));
