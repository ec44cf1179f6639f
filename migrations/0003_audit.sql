-- serves: 1
-- The acts of operators, on tasks and on everything else. The rows outlive the tasks.

alter table tasker.operator_action
  alter column task_uuid drop not null,
  alter column from_state drop not null,
  alter column to_state drop not null,
  -- The object of an act that is not on a task: `template shop/fulfil@1.0.0`, `namespace shop`, `worker w1`, `bulk 12`.
  add column target text,
  -- Where the act came from: `library`, `cli`, `rest`, `lifecycle`. Null: a program of an earlier version wrote the row.
  add column door text,
  add column bulk_id bigint,
  add column details jsonb,
  drop constraint operator_action_known,
  add constraint operator_action_known check (action ~ '^[a-z_]{1,40}$'),
  add constraint operator_action_object check (task_uuid is not null or target is not null);
