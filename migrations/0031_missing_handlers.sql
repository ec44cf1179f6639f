-- serves: 1
-- Handlers that no live worker has (docs/decisions/0032). Their ready steps are in the queue under -(namespace id + 536870912),
-- or under -(lane + 536870912), where no claim reads.

create table tasker.missing_handler (
  id           bigint generated always as identity primary key,
  namespace_id int not null,
  callable     text not null,
  -- The resolver that the templates name. Null: any.
  resolver     text,
  -- When a worker first missed the handler.
  since        timestamptz not null,
  -- withheld: no live worker has the handler. offered: a worker that may find it through a resolver is being tried. served: a
  -- worker announced it; the row is deleted once the steps are back.
  state        text not null,
  -- The instances of live workers whose resolvers did not find the handler.
  tried        text[] not null default '{}',
  -- Incremented with each change, so that a process that brings the queue in line does not settle a later change.
  revision     int not null default 1,
  changed_at   timestamptz not null default clock_timestamp(),
  -- Whether the queue has been brought in line with the state.
  settled      boolean not null default false,
  constraint missing_handler_state check (state in ('withheld', 'offered', 'served'))
);
create unique index missing_handler_of on tasker.missing_handler (namespace_id, callable, resolver) nulls not distinct;

-- Whether the worker starts only handlers that `callables` covers, and none was removed from it. If such a worker is lost, it
-- has not started a step whose handler it did not announce.
alter table tasker.worker add column announces_all boolean not null default false;
