-- serves: 1
-- A digest of the request that created a task with a key, so that a server can tell a repeated request from another
-- request with the same key. `request_hash` is the key in the header Idempotency-Key, with its sender. Requests without
-- such a header have none, so the index costs other creations nothing.
alter table tasker.task_identity
  add column request_hash bytea,
  add column digest bytea;

create unique index task_identity_request on tasker.task_identity (request_hash) where request_hash is not null;
