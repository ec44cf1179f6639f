-- serves: 1
-- `attempt` is the number of the start, and the key: it never repeats. `number` is the number of the attempt as its handler
-- saw it, without starts that did not count. Null if both are the same, so that usual rows are no larger. In rows about a
-- step, they are the numbers of its last start and attempt.
alter table tasker.history add column number int;
alter table tasker.domain_event add column number int;
alter table tasker.step_log add column number int;
alter table tasker.earlier_step add column number int;
alter table tasker.step_search add column number int;
