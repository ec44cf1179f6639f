-- serves: 1
-- The version of each template that requests without a version mean (docs/decisions/0033). A name without a row, which
-- only programs of earlier versions have registered, gets one at its first use.
create table tasker.active_version (
  namespace_id int not null references tasker.namespace on delete cascade,
  name         text not null,
  version      text not null,
  -- Set by an activation: registrations of higher versions do not change the version.
  pinned       boolean not null default false,
  -- Grows when the version changes or another version is registered. Creations compare it under a share lock.
  revision     int not null default 1,
  changed_at   timestamptz not null default now(),
  primary key (namespace_id, name)
);
