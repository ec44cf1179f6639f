-- serves: 1
-- The tasks that changed, for streams (docs/decisions/0027). Rows are written after the commit of the changes, by a process
-- that holds a lock until its own commit, so their numbers are in the order of commits. The newest row is never pruned.

create table tasker.task_change (
  seq   bigint generated always as identity primary key,
  -- Distinguishes the row from another one that got the same number, after a crash or a failover has lost it.
  mark  int not null default floor(random() * 2147483647),
  size  int not null,
  -- Null: changes were lost, so every stream must begin again.
  tasks uuid[]
);
alter table tasker.task_change alter tasks set storage external;
insert into tasker.task_change (size, tasks) values (0, '{}');
