-- serves: 1
-- The states of tasks and steps that wait (docs/decisions/0025). A new value can be used only after the transaction that
-- adds it, so the rest is in the next file.
alter type tasker.task_state add value if not exists 'waiting';
alter type tasker.step_state add value if not exists 'waiting';
