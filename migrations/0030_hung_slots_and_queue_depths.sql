-- serves: 1
-- What operators see of workers and queues.

-- The slots of a worker whose attempt is over, for example after a timeout, while the handler has not settled. Programs of
-- earlier versions leave it empty.
alter table tasker.worker add column hung int;

-- The ready and running steps of each namespace, noted once a minute and kept for an hour, by which the queue shows whether
-- it grows. `ready` is counted up to 100,000.
create table tasker.queue_depth (
  at           timestamptz not null,
  namespace_id int not null,
  ready        int not null,
  running      int not null,
  primary key (at, namespace_id)
);
