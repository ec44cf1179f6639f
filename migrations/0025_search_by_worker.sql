-- serves: 1
-- Finds the tasks of a worker in the order of creation, without sorting all its steps (docs/decisions/0019).
create index step_search_of_worker on tasker.step_search (worker_id, created_at, task_uuid, idx) include (template_id, state)
 where worker_id is not null;
