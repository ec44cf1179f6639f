-- serves: 1
-- The credential that created a task over HTTP, under the name that its acts are recorded under. Null: created by a program
-- with the database. A column at the end that is null takes no space.
alter table tasker.task add column created_with text;

-- The key of the request that began a bulk act, and the SHA-256 of the request, so that a repeated request begins nothing.
alter table tasker.bulk add column request_key text, add column request_hash bytea,
  add constraint bulk_request check ((request_key is null) = (request_hash is null));
create unique index bulk_request_key on tasker.bulk (actor, request_key) where request_key is not null;
