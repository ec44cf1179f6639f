-- serves: 1
-- The slots of a worker whose attempt is over, for example after a timeout, while the handler has not settled. Programs of
-- earlier versions leave it empty.
alter table tasker.worker add column hung int;
