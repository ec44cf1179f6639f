-- serves: 1
-- The limit of the state waiting, which a template sets in its lifecycle, and indexes that keep waits from costing anything.
-- The lock of the last one holds up writes while it reads the table once: 0.3 s for a million tasks.
alter table tasker.template
  add column max_waiting_minutes int,
  drop constraint template_limits,
  add constraint template_limits check ((stale_action is null) = (coalesce(max_duration_minutes,
    max_waiting_for_dependencies_minutes, max_waiting_for_retry_minutes, max_steps_in_process_minutes,
    max_waiting_minutes) is null));

-- For overviews of the open waits.
-- `kind is not null` keeps the index away from lookups of one open wait by its key: with statistics of an empty table, it
-- would seem as good as the key, and be read as a whole.
create index wait_open on tasker.wait (kind, since) where ended_at is null and kind is not null;

-- The tasks with ready or running steps. The sweep of a lost worker, the adoption of claims, and the search for steps that are
-- missing from the queue read no other task. The state of most tasks changes once, when they end, so updates stay HOT.
create index task_active on tasker.task (task_uuid) where state = 'steps_in_process';
