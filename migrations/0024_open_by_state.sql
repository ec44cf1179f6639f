-- serves: 1
-- One index of the open tasks instead of two: each index costs every creation. The sweep of a lost worker, the adoption of
-- claims, and the search for steps that are missing from the queue read the tasks in `steps_in_process` and no others. The
-- state of most tasks changes once, when they end, so updates stay HOT.
-- Creating it locks the table against writes while the index of the open tasks is read: 0.5 s for a million of them.
create index task_open_states on tasker.task (state, task_uuid) where done_at is null;
drop index tasker.task_open;
drop index tasker.task_active;
