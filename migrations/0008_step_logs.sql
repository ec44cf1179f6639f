-- serves: 1
-- The lines that handlers logged, one row for each attempt. Text and not jsonb, because a line may have characters that
-- jsonb rejects; in JSON text they are escaped.

create table tasker.step_log (
  task_uuid  uuid not null,
  idx        int not null,
  attempt    int not null,
  lines      text not null,
  -- Earlier lines that were not kept.
  dropped    int not null default 0,
  written_at timestamptz not null default now(),
  primary key (task_uuid, idx, attempt)
);
