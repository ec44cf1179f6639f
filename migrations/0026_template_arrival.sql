-- serves: 1
-- Whether a program with access to the database registered this content, such as a worker with its own folder. False: it
-- only arrived over HTTP, or a program of an earlier version registered it. Workers in production load no handler files for
-- such templates.
alter table tasker.template add column registered_by_program boolean not null default false;
