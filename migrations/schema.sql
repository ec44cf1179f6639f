-- The schema that the migrations of this folder create, for reading and reviewing. It is not run, and not edited:
-- scripts/dump-schema.mjs reads it from the catalogue of a migrated database, and the static checks compare.

create schema tasker;

create type tasker.outcome as enum ('completed', 'failed', 'worker_lost', 'released', 'cancelled', 'skipped');
create type tasker.step_state as enum ('pending', 'enqueued', 'in_progress', 'enqueued_for_orchestration', 'enqueued_as_error_for_orchestration', 'waiting_for_retry', 'complete', 'error', 'cancelled', 'resolved_manually', 'waiting', 'skipped');
create type tasker.task_state as enum ('pending', 'initializing', 'enqueuing_steps', 'steps_in_process', 'evaluating_results', 'waiting_for_dependencies', 'waiting_for_retry', 'blocked_by_failures', 'complete', 'error', 'cancelled', 'resolved_manually', 'waiting', 'undoing', 'undone');
create type tasker.worker_state as enum ('alive', 'dead', 'buried', 'stopped');

CREATE OR REPLACE FUNCTION tasker.add_histograms(a bigint[], b bigint[])
 RETURNS bigint[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (SELECT COALESCE(array_agg(((y.n * 512) + y.bucket) ORDER BY y.bucket), '{}'::bigint[]) AS "coalesce" FROM (SELECT (x.e & (511)::bigint) AS bucket, (sum((x.e >> 9)))::bigint AS n FROM (SELECT unnest(add_histograms.a) AS e UNION ALL SELECT unnest(add_histograms.b) AS unnest) x GROUP BY (x.e & (511)::bigint)) y);

CREATE OR REPLACE FUNCTION tasker.bucket_of(us bigint)
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (us <= 0) THEN (0)::bigint WHEN (us > 0) THEN LEAST((511)::bigint, (1 + (ceil((ln((us)::double precision) / ln((1.1)::double precision))))::bigint)) ELSE NULL::bigint END;

CREATE OR REPLACE FUNCTION tasker.day_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog'
AS $function$
declare
  day tasker.analytics := case when tg_op = 'DELETE' then old else new end;
begin
  if day.at < (select ten_days_until from tasker.analytics_state) then
    perform tasker.sum_ten_days(
      date_bin('240 hours', day.at, timestamptz '1970-01-01T00:00Z'), day.template_id, day.idx);
  end if;
  return null;
end $function$;

CREATE OR REPLACE FUNCTION tasker.error_part(part text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(regexp_replace(part, '(?:\m[[:alnum:]_]+-)*[[:alnum:]_]*[0-9][[:alnum:]_]*(?:[.:+-][[:alnum:]_]+)*|"[^"]*"|`[^`]*`|(?<![[:alnum:]])''[^'']*''|[^[:space:]<>@]+@[[:alnum:].-]+'::text, '*'::text, 'g'::text), '\*(?:[, ]+\*)+'::text, '*'::text, 'g'::text);

CREATE OR REPLACE FUNCTION tasker.error_pattern(error text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN (SELECT CASE WHEN ((length(y.head) % 2) = (length(replace(y.head, '"'::text, ''::text)) % 2)) THEN ((tasker.error_part(y.head) || "right"(y.found, 3)) || tasker.error_part(substr(error_pattern.error, (length(y.head) + 4)))) ELSE tasker.error_part(error_pattern.error) END AS error_part FROM (SELECT x.found, "left"(error_pattern.error, ((strpos(error_pattern.error, x.found) + length(x.found)) - 4)) AS head FROM (SELECT "substring"(error_pattern.error, '(?i)\m((?:(?:http(?:/[0-9.]+)?(?: status| error)?|status(?:[ _-]?code)?)(?:: | = | of |[ :=])|(?:code|returned|answered|received|got|with)(?:: | an? |[ :=])(?=[45][0-9][0-9](?:$|[,;)]|[:.](?:$|[[:space:]])| (?:after|at|by|for|from|in|on|to|when)\M)))[1-5][0-9][0-9])(?![[:alnum:]_]|[.:+-][[:alnum:]_])'::text) AS found OFFSET 0) x OFFSET 0) y);

CREATE OR REPLACE FUNCTION tasker.iso(timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN to_char(($1 AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'::text);

CREATE OR REPLACE FUNCTION tasker.schedule_now()
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE PARALLEL SAFE
RETURN now();

CREATE OR REPLACE FUNCTION tasker.shown_state(state tasker.task_state, n_wait integer)
 RETURNS tasker.task_state
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ((n_wait > 0) AND (state = ANY (ARRAY['waiting_for_dependencies'::tasker.task_state, 'blocked_by_failures'::tasker.task_state]))) THEN 'waiting'::tasker.task_state ELSE state END;

CREATE OR REPLACE FUNCTION tasker.step_name(part text, step text, idx integer)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN COALESCE(part, CASE WHEN (idx >= 131072) THEN (((step || '['::text) || (idx & 131071)) || ']'::text) ELSE step END);

CREATE OR REPLACE FUNCTION tasker.sum_ten_days(first timestamp with time zone, template integer, step integer)
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'pg_catalog'
AS $function$
  delete from tasker.analytics o where o.minutes = 14400 and o.at = first and o.template_id = template and o.idx = step;
  with days as materialized (
    select x.* from generate_series(0, 9) day cross join lateral (
      select * from tasker.analytics o
       where o.minutes = 1440 and o.at = first + day * interval '24 hours' and o.template_id = template and o.idx = step offset 0) x)
  insert into tasker.analytics (
    minutes, at, template_id, idx, completed, failed, lost, cancelled, resolved, released, retried, gave_up,
    run_count, run_us, run_min_us, run_max_us, run_hist, slowest, wait_count, wait_us, wait_min_us, wait_max_us, wait_hist, last_at)
  select 14400, first, template, step, sum(completed), sum(failed), sum(lost), sum(cancelled), sum(resolved), sum(released),
         sum(retried), sum(gave_up), sum(run_count), sum(run_us), min(run_min_us), max(run_max_us),
         (select coalesce(array_agg(n * 512 + bucket order by bucket), '{}') from (
           select e & 511 bucket, sum(e >> 9)::bigint n from (select unnest(run_hist) e from days) x group by 1) y),
         (array_agg(slowest order by run_max_us desc nulls last))[1],
         sum(wait_count), sum(wait_us), min(wait_min_us), max(wait_max_us),
         (select coalesce(array_agg(n * 512 + bucket order by bucket), '{}') from (
           select e & 511 bucket, sum(e >> 9)::bigint n from (select unnest(wait_hist) e from days) x group by 1) y),
         max(last_at)
    from days having count(*) > 0;
$function$;

CREATE OR REPLACE FUNCTION tasker.summarize_history()
 RETURNS integer
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$ select brin_summarize_new_values('tasker.history_tx'::regclass) $function$;

CREATE OR REPLACE FUNCTION tasker.template_idx(integer)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN ($1 >= 131072) THEN (($1 >> 17) - 1) ELSE $1 END;

create table tasker.active_version (
  namespace_id integer not null,
  name text not null,
  version text not null,
  pinned boolean not null default false,
  revision integer not null default 1,
  changed_at timestamp with time zone not null default now(),
  constraint active_version_pkey PRIMARY KEY (namespace_id, name),
  constraint active_version_namespace_id_fkey FOREIGN KEY (namespace_id) REFERENCES tasker.namespace(id) ON DELETE CASCADE
);

create table tasker.analytics (
  minutes smallint not null,
  at timestamp with time zone not null,
  template_id integer not null,
  idx integer not null,
  completed bigint not null,
  failed bigint not null,
  lost bigint not null,
  cancelled bigint not null,
  resolved bigint not null,
  released bigint not null,
  retried bigint not null,
  gave_up bigint not null,
  run_count bigint not null,
  run_us bigint not null,
  run_min_us bigint,
  run_max_us bigint,
  run_hist bigint[] not null,
  slowest uuid,
  wait_count bigint not null,
  wait_us bigint not null,
  wait_min_us bigint,
  wait_max_us bigint,
  wait_hist bigint[] not null,
  last_at timestamp with time zone not null,
  constraint analytics_pkey PRIMARY KEY (minutes, at, template_id, idx),
  constraint analytics_minutes CHECK ((minutes = ANY (ARRAY[1, 60, 1440, 14400])))
) with (fillfactor=80);
CREATE INDEX analytics_totals ON tasker.analytics USING btree (minutes, at, template_id) WHERE (idx < 0);
CREATE TRIGGER day_changed AFTER INSERT OR UPDATE ON tasker.analytics FOR EACH ROW WHEN ((new.minutes = 1440)) EXECUTE FUNCTION tasker.day_changed();
CREATE TRIGGER day_deleted AFTER DELETE ON tasker.analytics FOR EACH ROW WHEN ((old.minutes = 1440)) EXECUTE FUNCTION tasker.day_changed();

create table tasker.analytics_state (
  single boolean not null default true,
  counted pg_snapshot not null,
  counted_at timestamp with time zone not null default now(),
  since timestamp with time zone not null default now(),
  after timestamp with time zone,
  rest_until timestamp with time zone not null default now(),
  pruned_at timestamp with time zone not null default now(),
  ten_days_until timestamp with time zone,
  constraint analytics_state_pkey PRIMARY KEY (single),
  constraint analytics_state_single CHECK (single)
) with (fillfactor=50);

create table tasker.api_key (
  key_id uuid not null,
  name text not null,
  prefix text not null,
  hash bytea not null,
  roles text[] not null,
  permissions text[] not null,
  namespaces text[],
  created_at timestamp with time zone not null default now(),
  created_by text not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  revoked_by text,
  replaced_by uuid,
  last_used_at timestamp with time zone,
  constraint api_key_pkey PRIMARY KEY (key_id),
  constraint api_key_hash UNIQUE (hash),
  constraint api_key_allows_something CHECK (((cardinality(roles) + cardinality(permissions)) > 0)),
  constraint api_key_is_sha256 CHECK ((octet_length(hash) = 32)),
  constraint api_key_revoked CHECK (((revoked_at IS NULL) = (revoked_by IS NULL))),
  constraint api_key_sees_something CHECK ((cardinality(namespaces) > 0))
);
CREATE UNIQUE INDEX api_key_name ON tasker.api_key USING btree (name) WHERE ((revoked_at IS NULL) AND (replaced_by IS NULL));

create table tasker.archive_file (
  name text not null,
  prune_id integer not null,
  folder text not null,
  bytes bigint not null default 0,
  tasks integer not null default 0,
  created_at timestamp with time zone not null default now(),
  closed_at timestamp with time zone,
  constraint archive_file_pkey PRIMARY KEY (name)
) with (fillfactor=50);
CREATE INDEX archive_file_open ON tasker.archive_file USING btree (folder) WHERE (closed_at IS NULL);

create table tasker.batch (
  task_uuid uuid not null,
  worker_idx integer not null,
  analyzer_idx integer not null,
  size integer not null,
  parallelism integer not null,
  failure_strategy text not null,
  no_op boolean not null,
  n_active integer not null default 0,
  next_idx integer not null,
  constraint batch_pkey PRIMARY KEY (task_uuid, worker_idx),
  constraint batch_size CHECK ((((size >= 1) AND (size <= 131072)) AND (parallelism >= 1) AND (n_active >= 0))),
  constraint batch_strategy CHECK ((failure_strategy = ANY (ARRAY['continue_on_failure'::text, 'fail_fast'::text, 'isolate'::text])))
) with (fillfactor=50);

create table tasker.batch_worker (
  task_uuid uuid not null,
  idx integer not null,
  name text not null,
  cursor jsonb not null,
  constraint batch_worker_pkey PRIMARY KEY (task_uuid, idx)
);

create table tasker.bulk (
  id bigint not null generated always as identity,
  action text not null,
  filter jsonb,
  result jsonb,
  state text not null default 'selected'::text,
  actor text not null,
  reason text,
  door text not null,
  matched integer not null default 0,
  done integer not null default 0,
  skipped integer not null default 0,
  failed integer not null default 0,
  runner uuid,
  created_at timestamp with time zone not null default now(),
  started_at timestamp with time zone,
  seen_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  request_key text,
  request_hash bytea,
  constraint bulk_pkey PRIMARY KEY (id),
  constraint bulk_action CHECK ((action = ANY (ARRAY['task_cancel'::text, 'task_retry'::text, 'task_resolve'::text, 'task_delete'::text, 'task_redrive'::text, 'task_undo'::text, 'step_retry'::text, 'step_reset'::text, 'step_resolve'::text]))),
  constraint bulk_counts CHECK ((((done + skipped) + failed) <= matched)),
  constraint bulk_request CHECK (((request_key IS NULL) = (request_hash IS NULL))),
  constraint bulk_state CHECK ((state = ANY (ARRAY['selected'::text, 'running'::text, 'stopped'::text, 'done'::text])))
) with (fillfactor=50);
CREATE UNIQUE INDEX bulk_request_key ON tasker.bulk USING btree (actor, request_key) WHERE (request_key IS NOT NULL);

create table tasker.bulk_item (
  bulk_id bigint not null,
  task_uuid uuid not null,
  idx integer not null default '-1'::integer,
  seen integer[],
  outcome text,
  why text,
  constraint bulk_item_pkey PRIMARY KEY (bulk_id, task_uuid, idx),
  constraint bulk_item_outcome CHECK ((outcome = ANY (ARRAY['done'::text, 'skipped'::text, 'failed'::text])))
) with (fillfactor=70);
CREATE INDEX bulk_item_why ON tasker.bulk_item USING btree (bulk_id, outcome, task_uuid, idx) WHERE (outcome = ANY (ARRAY['skipped'::text, 'failed'::text]));

create table tasker.checkpoint (
  task_uuid uuid not null,
  idx integer not null,
  attempt integer not null,
  data jsonb not null,
  saved_at timestamp with time zone not null default now(),
  constraint checkpoint_pkey PRIMARY KEY (task_uuid, idx)
) with (fillfactor=50);

create table tasker.child_task (
  child_uuid uuid not null,
  parent_uuid uuid not null,
  idx integer not null,
  attempt integer,
  root_uuid uuid not null,
  level smallint not null,
  abandoned boolean not null,
  settled_at timestamp with time zone,
  run integer,
  key text,
  undo_idx integer,
  undo_attempt integer,
  constraint child_task_pkey PRIMARY KEY (child_uuid),
  constraint child_level CHECK (((level >= 1) AND (level <= 8))),
  constraint child_run CHECK ((((run IS NULL) = (key IS NULL)) AND ((key IS NOT NULL) OR (attempt IS NOT NULL)))),
  constraint child_undo CHECK (((undo_idx IS NULL) = (undo_attempt IS NULL)))
);
CREATE UNIQUE INDEX child_key ON tasker.child_task USING btree (parent_uuid, idx, run, key) WHERE (key IS NOT NULL);
CREATE INDEX child_of_root ON tasker.child_task USING btree (root_uuid);
CREATE INDEX child_of_step ON tasker.child_task USING btree (parent_uuid, idx);
CREATE INDEX child_open ON tasker.child_task USING btree (child_uuid) WHERE (settled_at IS NULL);

create table tasker.completion_token (
  task_uuid uuid not null,
  idx integer not null,
  attempt integer not null,
  hash bytea not null,
  made_at timestamp with time zone not null default now(),
  constraint completion_token_pkey PRIMARY KEY (task_uuid, idx, attempt)
);

create table tasker.dead_letter (
  id uuid not null default gen_random_uuid(),
  task_uuid uuid not null,
  template_id integer not null,
  reason text not null,
  status text not null default 'pending'::text,
  original_state text not null,
  priority smallint not null default 0,
  assignee text,
  cause text not null,
  rule text,
  minutes integer,
  since timestamp with time zone,
  moved_at timestamp with time zone not null,
  snapshot jsonb not null,
  metadata jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  resolved_at timestamp with time zone,
  resolved_by text,
  resolution text,
  queue_at timestamp with time zone not null,
  constraint dead_letter_pkey PRIMARY KEY (id),
  constraint dead_letter_limit CHECK ((num_nulls(rule, minutes, since) = ANY (ARRAY[0, 3]))),
  constraint dead_letter_reason CHECK ((reason = ANY (ARRAY['staleness_timeout'::text, 'max_retries_exceeded'::text, 'dependency_cycle_detected'::text, 'worker_unavailable'::text, 'manual_dlq'::text]))),
  constraint dead_letter_resolved CHECK ((((status = 'pending'::text) = (resolved_at IS NULL)) AND ((resolved_at IS NULL) = (resolved_by IS NULL)))),
  constraint dead_letter_status CHECK ((status = ANY (ARRAY['pending'::text, 'manually_resolved'::text, 'permanently_failed'::text, 'cancelled'::text])))
) with (fillfactor=80);
CREATE INDEX dead_letter_assignee ON tasker.dead_letter USING btree (assignee, ((- priority)), queue_at, id) WHERE (status = 'pending'::text);
CREATE INDEX dead_letter_created ON tasker.dead_letter USING btree (created_at, id);
CREATE UNIQUE INDEX dead_letter_open ON tasker.dead_letter USING btree (task_uuid) WHERE (status = 'pending'::text);
CREATE INDEX dead_letter_queue ON tasker.dead_letter USING btree (((- priority)), queue_at, id) WHERE (status = 'pending'::text);
CREATE INDEX dead_letter_reason ON tasker.dead_letter USING btree (reason, ((- priority)), queue_at, id) WHERE (status = 'pending'::text);
CREATE INDEX dead_letter_status ON tasker.dead_letter USING btree (status, created_at, id) INCLUDE (reason, template_id, assignee, resolved_at);
CREATE INDEX dead_letter_task ON tasker.dead_letter USING btree (task_uuid, created_at);
CREATE INDEX dead_letter_template ON tasker.dead_letter USING btree (template_id, ((- priority)), queue_at, id) WHERE (status = 'pending'::text);

create table tasker.dead_letter_look (
  single boolean not null default true,
  looked_at timestamp with time zone not null default '-infinity'::timestamp with time zone,
  checked_to uuid,
  watched_at timestamp with time zone not null default '-infinity'::timestamp with time zone,
  constraint dead_letter_look_pkey PRIMARY KEY (single),
  constraint dead_letter_look_single CHECK (single)
) with (fillfactor=50);

create table tasker.dead_letter_note (
  id bigint not null generated always as identity,
  entry_id uuid not null,
  at timestamp with time zone not null default now(),
  author text not null,
  note text not null,
  constraint dead_letter_note_pkey PRIMARY KEY (id),
  constraint dead_letter_note_entry_id_fkey FOREIGN KEY (entry_id) REFERENCES tasker.dead_letter(id) ON DELETE CASCADE
);
CREATE INDEX dead_letter_note_entry ON tasker.dead_letter_note USING btree (entry_id, id);

create table tasker.domain_event (
  id bigint not null generated always as identity,
  event_id uuid not null,
  name text not null,
  version text not null default '1.0'::text,
  task_uuid uuid not null,
  idx integer not null,
  attempt integer not null,
  publisher text not null,
  payload jsonb not null,
  metadata jsonb,
  execution jsonb not null,
  fired_at timestamp with time zone not null default now(),
  number integer,
  constraint domain_event_pkey PRIMARY KEY (id)
);
CREATE INDEX domain_event_ids ON tasker.domain_event USING btree (event_id);
CREATE INDEX domain_event_tasks ON tasker.domain_event USING btree (task_uuid);

create table tasker.earlier_end (
  task_uuid uuid not null,
  done_at timestamp with time zone not null,
  state tasker.task_state not null,
  took_us bigint not null,
  tx bigint not null default txid_current(),
  constraint earlier_end_pkey PRIMARY KEY (task_uuid, done_at)
);

create table tasker.earlier_step (
  task_uuid uuid not null,
  idx integer not null,
  rerun integer not null,
  replaced_by integer not null,
  name text,
  state tasker.step_state not null,
  attempts integer not null,
  claim bigint,
  result jsonb,
  done_at timestamp with time zone,
  number integer,
  constraint earlier_step_pkey PRIMARY KEY (task_uuid, idx, rerun)
);

create table tasker.event_chunk (
  part smallint not null,
  chunk bigint not null,
  ids bigint[] not null,
  size integer not null,
  total bigint not null,
  made_at timestamp with time zone not null default clock_timestamp(),
  constraint event_chunk_pkey PRIMARY KEY (part, chunk),
  constraint event_chunk_part CHECK (((part >= 0) AND (part <= 15))),
  constraint event_chunk_size CHECK (((size = cardinality(ids)) AND (size > 0)))
);

create table tasker.event_cursor (
  group_id integer not null,
  part smallint not null,
  chunk bigint not null,
  done integer not null default 0,
  holder uuid,
  hold uuid,
  held_until timestamp with time zone,
  constraint event_cursor_pkey PRIMARY KEY (group_id, part),
  constraint event_cursor_group_id_fkey FOREIGN KEY (group_id) REFERENCES tasker.event_group(id),
  constraint event_cursor_hold CHECK (((num_nulls(holder, held_until) = ANY (ARRAY[0, 2])) AND ((hold IS NOT NULL) OR (holder IS NULL)))),
  constraint event_cursor_part CHECK ((((part >= 0) AND (part <= 15)) AND (done >= 0)))
) with (fillfactor=50);

create table tasker.event_dead (
  group_id integer not null,
  id bigint not null,
  task_uuid uuid not null,
  attempts integer not null,
  error text not null,
  died_at timestamp with time zone not null default now(),
  constraint event_dead_pkey PRIMARY KEY (group_id, id)
);
CREATE INDEX event_dead_age ON tasker.event_dead USING btree (died_at);
CREATE INDEX event_dead_event ON tasker.event_dead USING btree (id);

create table tasker.event_gap (
  first_id bigint not null,
  last_id bigint not null,
  since xid8 not null,
  constraint event_gap_pkey PRIMARY KEY (first_id, last_id),
  constraint event_gap_not_empty CHECK ((first_id <= last_id))
);

create table tasker.event_group (
  id integer not null generated always as identity,
  name text not null,
  patterns text[] not null,
  matching text not null,
  created_at timestamp with time zone not null default now(),
  seen_at timestamp with time zone not null default now(),
  constraint event_group_pkey PRIMARY KEY (id),
  constraint event_group_name_key UNIQUE (name)
) with (fillfactor=50);

create table tasker.event_group_member (
  group_id integer not null,
  member uuid not null,
  patterns text[] not null,
  matching text not null,
  seen_at timestamp with time zone not null default now(),
  has_left boolean not null default false,
  constraint event_group_member_pkey PRIMARY KEY (group_id, member),
  constraint event_group_member_group_id_fkey FOREIGN KEY (group_id) REFERENCES tasker.event_group(id)
) with (fillfactor=50);

create table tasker.event_head (
  one boolean not null default true,
  last_id bigint not null default 0,
  chunk bigint not null default 0,
  constraint event_head_pkey PRIMARY KEY (one),
  constraint event_head_one CHECK (one)
) with (fillfactor=50);

create table tasker.event_retry (
  group_id integer not null,
  task_uuid uuid not null,
  id bigint not null,
  attempts integer not null default 0,
  due_at timestamp with time zone not null default now(),
  replayed boolean not null default false,
  error text,
  holder uuid,
  constraint event_retry_pkey PRIMARY KEY (group_id, task_uuid, id)
) with (fillfactor=50);
CREATE INDEX event_retry_due ON tasker.event_retry USING btree (((- group_id)), due_at);
CREATE INDEX event_retry_held ON tasker.event_retry USING btree (holder) WHERE (holder IS NOT NULL);

create table tasker.failed_element (
  task_uuid uuid not null,
  idx integer not null,
  element integer not null,
  open integer not null,
  blocking integer not null,
  constraint failed_element_pkey PRIMARY KEY (task_uuid, idx, element)
);

create table tasker.flow_limit (
  id integer not null generated always as identity,
  namespace_id integer not null,
  template text not null,
  name text not null,
  concurrent integer,
  rate double precision,
  burst integer not null,
  keyed boolean not null,
  fair boolean not null,
  changed_at timestamp with time zone not null default now(),
  constraint flow_limit_pkey PRIMARY KEY (id),
  constraint flow_limit_namespace_id_template_name_key UNIQUE (namespace_id, template, name),
  constraint flow_limit_namespace_id_fkey FOREIGN KEY (namespace_id) REFERENCES tasker.namespace(id),
  constraint flow_limit_values CHECK (((concurrent > 0) AND (rate > (0)::double precision) AND (burst > 0) AND (COALESCE((concurrent)::double precision, rate) IS NOT NULL)))
);

create table tasker.for_each (
  task_uuid uuid not null,
  idx integer not null,
  first_step integer not null,
  n_steps integer not null,
  total integer not null,
  parallelism integer not null,
  on_failure text not null,
  started integer not null default 0,
  open integer[] not null default '{}'::integer[],
  completed integer not null default 0,
  failed integer not null default 0,
  stopped_by integer,
  failed_open integer not null default 0,
  failed_blocking integer not null default 0,
  constraint for_each_pkey PRIMARY KEY (task_uuid, idx),
  constraint for_each_counts CHECK ((((started >= 0) AND (started <= total)) AND ((total >= 1) AND (total <= 100000)) AND (parallelism >= 1) AND (((completed + failed) + cardinality(open)) <= started) AND (failed_blocking <= failed_open))),
  constraint for_each_policy CHECK ((on_failure = ANY (ARRAY['block'::text, 'continue'::text, 'stop'::text])))
) with (fillfactor=50);

create table tasker.for_each_page (
  task_uuid uuid not null,
  idx integer not null,
  page integer not null,
  elements jsonb not null,
  keys jsonb,
  constraint for_each_page_pkey PRIMARY KEY (task_uuid, idx, page)
);

create table tasker.history (
  task_uuid uuid not null,
  idx integer not null,
  attempt integer not null,
  worker_id bigint not null,
  outcome tasker.outcome not null,
  state tasker.step_state not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone not null default now(),
  duration_ms integer,
  detail jsonb,
  tx bigint default txid_current(),
  number integer,
  constraint history_pkey PRIMARY KEY (task_uuid, idx, attempt)
);
CREATE INDEX history_tx ON tasker.history USING brin (tx);

create table tasker.http_claim (
  worker_id bigint not null,
  request integer not null,
  made_at timestamp with time zone not null default now(),
  constraint http_claim_pkey PRIMARY KEY (worker_id, request)
);

create table tasker.http_step (
  claim bigint not null,
  task_uuid uuid not null,
  idx integer not null,
  timeout_ms bigint,
  due_at timestamp with time zone,
  missing_since timestamp with time zone,
  constraint http_step_pkey PRIMARY KEY (claim, task_uuid, idx)
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);
CREATE INDEX http_step_due ON tasker.http_step USING btree (due_at) WHERE (due_at IS NOT NULL);

create table tasker.limit_holder (
  limit_id integer not null,
  key text not null,
  task_uuid uuid not null,
  idx integer not null,
  attempt integer not null,
  part integer not null,
  rank smallint not null,
  queue_id bigint not null,
  admitted_at timestamp with time zone not null default now(),
  constraint limit_holder_pkey PRIMARY KEY (limit_id, key, task_uuid, idx),
  constraint limit_holder_limit_id_fkey FOREIGN KEY (limit_id) REFERENCES tasker.flow_limit(id) ON DELETE CASCADE
);

create table tasker.limit_line (
  id integer not null generated always as identity,
  limits integer[] not null,
  keys text[] not null,
  rank smallint not null default 0,
  place bigint not null default 0,
  held_by integer,
  held_key text,
  held_until timestamp with time zone,
  constraint limit_line_pkey PRIMARY KEY (id),
  constraint limit_line_limits_keys_key UNIQUE (limits, keys)
);
CREATE INDEX limit_line_held ON tasker.limit_line USING btree (held_by, held_key) WHERE (held_by IS NOT NULL);
CREATE INDEX limit_line_next ON tasker.limit_line USING btree (limits, rank, place) WHERE (held_by IS NULL);
CREATE INDEX limit_line_until ON tasker.limit_line USING btree (held_until) WHERE (held_until IS NOT NULL);

create table tasker.limit_pace (
  limit_id integer not null,
  key text not null,
  due_at timestamp with time zone not null,
  constraint limit_pace_pkey PRIMARY KEY (limit_id, key),
  constraint limit_pace_limit_id_fkey FOREIGN KEY (limit_id) REFERENCES tasker.flow_limit(id) ON DELETE CASCADE
);

create table tasker.migration (
  id integer not null,
  name text not null,
  checksum text not null,
  serves integer not null,
  applied_at timestamp with time zone not null default now(),
  constraint migration_pkey PRIMARY KEY (id)
);

create table tasker.missing_handler (
  id bigint not null generated always as identity,
  namespace_id integer not null,
  callable text not null,
  resolver text,
  since timestamp with time zone not null,
  state text not null,
  tried text[] not null default '{}'::text[],
  revision integer not null default 1,
  changed_at timestamp with time zone not null default clock_timestamp(),
  settled boolean not null default false,
  constraint missing_handler_pkey PRIMARY KEY (id),
  constraint missing_handler_state CHECK ((state = ANY (ARRAY['withheld'::text, 'offered'::text, 'served'::text])))
);
CREATE UNIQUE INDEX missing_handler_of ON tasker.missing_handler USING btree (namespace_id, callable, resolver) NULLS NOT DISTINCT;

create table tasker.namespace (
  id integer not null generated always as identity,
  name text not null,
  constraint namespace_pkey PRIMARY KEY (id),
  constraint namespace_name_key UNIQUE (name),
  constraint namespace_name CHECK ((name ~ '^[A-Za-z_][A-Za-z0-9_]{0,28}$'::text))
);

create table tasker.operator_action (
  id bigint not null generated always as identity,
  task_uuid uuid,
  idx integer,
  action text not null,
  from_state text,
  to_state text,
  actor text not null,
  reason text,
  at timestamp with time zone not null default now(),
  target text,
  door text,
  bulk_id bigint,
  details jsonb,
  tx bigint default txid_current(),
  constraint operator_action_pkey PRIMARY KEY (id),
  constraint operator_action_known CHECK ((action ~ '^[a-z_]{1,40}$'::text)),
  constraint operator_action_object CHECK (((task_uuid IS NOT NULL) OR (target IS NOT NULL)))
);
CREATE INDEX operator_action_action ON tasker.operator_action USING btree (action, at, id);
CREATE INDEX operator_action_actor ON tasker.operator_action USING btree (actor, at, id);
CREATE INDEX operator_action_at ON tasker.operator_action USING btree (at, id);
CREATE INDEX operator_action_bulk ON tasker.operator_action USING btree (bulk_id, at, id) WHERE (bulk_id IS NOT NULL);
CREATE INDEX operator_action_target ON tasker.operator_action USING btree (target, at, id) WHERE (target IS NOT NULL);
CREATE INDEX operator_action_task ON tasker.operator_action USING btree (task_uuid, id);
CREATE INDEX operator_action_tx ON tasker.operator_action USING btree (tx) WHERE (tx IS NOT NULL);

create table tasker.past_worker (
  id bigint not null,
  name text not null,
  host text not null,
  constraint past_worker_pkey PRIMARY KEY (id)
);

create table tasker.pause (
  id bigint not null generated always as identity,
  task_uuid uuid,
  namespace_id integer,
  name text,
  version text,
  paused_at timestamp with time zone not null default clock_timestamp(),
  paused_by text not null,
  reason text,
  resumed_at timestamp with time zone,
  resumed_by text,
  settled boolean not null default false,
  constraint pause_pkey PRIMARY KEY (id),
  constraint pause_end CHECK (((num_nulls(resumed_at, resumed_by) = ANY (ARRAY[0, 2])) AND (resumed_at >= paused_at))),
  constraint pause_object CHECK (((num_nonnulls(task_uuid, namespace_id) = 1) AND ((name IS NULL) OR (namespace_id IS NOT NULL)) AND ((version IS NULL) OR (name IS NOT NULL))))
);
CREATE UNIQUE INDEX pause_holds ON tasker.pause USING btree (task_uuid, namespace_id, name, version) NULLS NOT DISTINCT WHERE (resumed_at IS NULL);
CREATE INDEX pause_of_object ON tasker.pause USING btree (task_uuid, namespace_id);
CREATE INDEX pause_unsettled ON tasker.pause USING btree (id) WHERE (NOT settled);

create table tasker.prune (
  id integer not null generated always as identity,
  by_policy boolean not null,
  archive text,
  release_keys boolean not null,
  deleted integer not null default 0,
  audit_id bigint not null,
  started_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  constraint prune_pkey PRIMARY KEY (id)
) with (fillfactor=50);

create table tasker.prune_turn (
  single boolean not null default true,
  holder uuid,
  by_policy boolean not null default false,
  held_until timestamp with time zone not null default now(),
  due_at timestamp with time zone not null default now(),
  constraint prune_turn_pkey PRIMARY KEY (single),
  constraint prune_turn_single CHECK (single)
) with (fillfactor=50);

create table tasker.queue (
  namespace_id integer not null,
  rank smallint not null,
  id bigint not null generated always as identity,
  task_uuid uuid not null,
  idx integer not null,
  template_id integer not null,
  constraint queue_pkey PRIMARY KEY (namespace_id, rank, id)
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000);

create table tasker.queue_depth (
  at timestamp with time zone not null,
  namespace_id integer not null,
  ready integer not null,
  running integer not null,
  constraint queue_depth_pkey PRIMARY KEY (at, namespace_id)
);

create table tasker.schedule (
  schedule_id uuid not null,
  name text not null,
  source text,
  spec jsonb not null,
  digest text not null,
  earlier text[] not null default '{}'::text[],
  anchor timestamp with time zone not null default now(),
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  passed_at timestamp with time zone,
  next_due timestamp with time zone,
  wake_at timestamp with time zone,
  queued_due timestamp with time zone,
  firings bigint not null default 0,
  paused_at timestamp with time zone,
  paused_by text,
  pause_reason text,
  constraint schedule_pkey PRIMARY KEY (schedule_id),
  constraint schedule_name UNIQUE (name),
  constraint schedule_pause CHECK (((paused_at IS NULL) = (paused_by IS NULL))),
  constraint schedule_paused_sleeps CHECK (((paused_at IS NULL) OR (wake_at IS NULL)))
) with (fillfactor=70);
CREATE INDEX schedule_wake ON tasker.schedule USING btree (wake_at) WHERE (wake_at IS NOT NULL);

create table tasker.schedule_firing (
  schedule_id uuid not null,
  due_at timestamp with time zone not null,
  until timestamp with time zone,
  cause text not null,
  outcome text not null,
  task_uuid uuid,
  reason text,
  at timestamp with time zone not null default now(),
  constraint schedule_firing_pkey PRIMARY KEY (schedule_id, due_at),
  constraint firing_cause CHECK ((cause = ANY (ARRAY['due'::text, 'catch_up'::text, 'queued'::text, 'trigger'::text, 'backfill'::text]))),
  constraint firing_outcome CHECK ((outcome = ANY (ARRAY['created'::text, 'queued'::text, 'skipped'::text, 'missed'::text, 'failed'::text]))),
  constraint firing_task CHECK (((outcome = 'created'::text) = (task_uuid IS NOT NULL)))
);

create table tasker.scheduled_task (
  task_uuid uuid not null,
  schedule_id uuid not null,
  name text not null,
  due_at timestamp with time zone not null,
  previous_due_at timestamp with time zone,
  cause text not null,
  open boolean not null,
  failure_noted boolean not null default false,
  constraint scheduled_task_pkey PRIMARY KEY (task_uuid)
);
CREATE INDEX scheduled_task_open ON tasker.scheduled_task USING btree (schedule_id) WHERE open;

create table tasker.search_state (
  single boolean not null default true,
  keeper uuid,
  keeper_until timestamp with time zone not null default now(),
  compared_at timestamp with time zone not null default now(),
  compared_to xid8,
  constraint search_state_pkey PRIMARY KEY (single),
  constraint search_state_single CHECK (single)
) with (fillfactor=50);

create table tasker.search_writer (
  id uuid not null,
  pending_since timestamp with time zone,
  seen_at timestamp with time zone not null default now(),
  constraint search_writer_pkey PRIMARY KEY (id)
) with (fillfactor=50);

create table tasker.signal (
  task_uuid uuid not null,
  seq bigint not null generated always as identity,
  signal_id uuid not null,
  name text not null,
  key text,
  payload jsonb not null,
  size integer not null,
  sender text,
  arrived_at timestamp with time zone not null default now(),
  held_by integer,
  held_attempt integer,
  used_by integer,
  used_attempt integer,
  used_at timestamp with time zone,
  constraint signal_pkey PRIMARY KEY (task_uuid, seq),
  constraint signal_hold CHECK ((num_nulls(held_by, held_attempt) = ANY (ARRAY[0, 2]))),
  constraint signal_use CHECK ((num_nulls(used_by, used_attempt, used_at) = ANY (ARRAY[0, 3])))
) with (fillfactor=70);
CREATE UNIQUE INDEX signal_ids ON tasker.signal USING btree (signal_id, task_uuid);
CREATE UNIQUE INDEX signal_key ON tasker.signal USING btree (task_uuid, name, key) WHERE (key IS NOT NULL);

create table tasker.signal_inbox (
  seq bigint not null generated always as identity,
  id uuid not null,
  target jsonb not null,
  name text not null,
  key text,
  payload jsonb not null,
  sender text,
  sent_at timestamp with time zone not null default now(),
  tries integer not null default 0,
  retry_at timestamp with time zone,
  done_at timestamp with time zone,
  outcome jsonb,
  constraint signal_inbox_pkey PRIMARY KEY (seq),
  constraint signal_inbox_end CHECK ((num_nulls(done_at, outcome) = ANY (ARRAY[0, 2])))
) with (fillfactor=50);
CREATE INDEX signal_inbox_done ON tasker.signal_inbox USING btree (done_at) WHERE (done_at IS NOT NULL);
CREATE INDEX signal_inbox_ids ON tasker.signal_inbox USING btree (id);
CREATE INDEX signal_inbox_open ON tasker.signal_inbox USING btree (seq) WHERE (done_at IS NULL);

create table tasker.step (
  task_uuid uuid not null,
  idx integer not null,
  state tasker.step_state not null,
  remaining integer not null,
  attempts integer not null default 0,
  spared integer not null default 0,
  max_attempts integer not null,
  retryable boolean not null,
  claim bigint,
  result jsonb,
  next_at timestamp with time zone,
  started_at timestamp with time zone,
  done_at timestamp with time zone,
  rerun integer,
  earlier_attempts integer,
  reset_attempts integer,
  constraint step_pkey PRIMARY KEY (task_uuid, idx),
  constraint step_attempts CHECK (((attempts >= spared) AND (spared >= 0) AND (max_attempts >= 1))),
  constraint step_retry_has_time CHECK (((state = 'waiting_for_retry'::tasker.step_state) <= (next_at IS NOT NULL))),
  constraint step_running_has_claim CHECK (((state <> 'in_progress'::tasker.step_state) OR ((claim IS NOT NULL) AND (started_at IS NOT NULL)))),
  constraint step_waits_for_parents CHECK (((remaining >= 0) AND ((remaining = 0) OR (state = ANY (ARRAY['pending'::tasker.step_state, 'cancelled'::tasker.step_state, 'resolved_manually'::tasker.step_state, 'complete'::tasker.step_state])))))
) with (fillfactor=45);

create table tasker.step_log (
  task_uuid uuid not null,
  idx integer not null,
  attempt integer not null,
  lines text not null,
  dropped integer not null default 0,
  written_at timestamp with time zone not null default now(),
  number integer,
  constraint step_log_pkey PRIMARY KEY (task_uuid, idx, attempt)
);

create table tasker.step_search (
  task_uuid uuid not null,
  idx integer not null,
  template_id integer not null,
  state tasker.step_state not null,
  since timestamp with time zone not null,
  created_at timestamp with time zone not null,
  attempts integer not null,
  error_type text,
  error text,
  fingerprint bigint,
  worker_id bigint,
  number integer,
  constraint step_search_pkey PRIMARY KEY (task_uuid, idx)
);
CREATE INDEX step_search_error ON tasker.step_search USING btree (template_id, error_type, created_at, task_uuid, idx) WHERE (error_type IS NOT NULL);
CREATE INDEX step_search_of_worker ON tasker.step_search USING btree (worker_id, created_at, task_uuid, idx) INCLUDE (template_id, state) WHERE (worker_id IS NOT NULL);
CREATE INDEX step_search_since ON tasker.step_search USING btree (template_id, state, since, task_uuid, idx);
CREATE INDEX step_search_task ON tasker.step_search USING btree (template_id, state, created_at, task_uuid, idx);
CREATE INDEX step_search_worker ON tasker.step_search USING btree (worker_id, since, task_uuid, idx) WHERE (worker_id IS NOT NULL);

create table tasker.task (
  task_uuid uuid not null,
  template_id integer not null,
  rank smallint not null default 0,
  n_open integer not null,
  n_active integer not null,
  n_retry integer not null default 0,
  n_error integer not null default 0,
  verdict tasker.task_state,
  state tasker.task_state not null generated always as (
CASE
    WHEN (verdict IS NOT NULL) THEN verdict
    WHEN (n_open = 0) THEN
    CASE
        WHEN (undo_at IS NULL) THEN 'complete'::tasker.task_state
        ELSE 'undone'::tasker.task_state
    END
    WHEN ((undo_at IS NOT NULL) AND (((n_active + n_retry) + n_wait) > 0)) THEN 'undoing'::tasker.task_state
    WHEN (n_active > 0) THEN 'steps_in_process'::tasker.task_state
    WHEN (n_retry > 0) THEN 'waiting_for_retry'::tasker.task_state
    WHEN (n_error > 0) THEN 'blocked_by_failures'::tasker.task_state
    ELSE 'waiting_for_dependencies'::tasker.task_state
END) stored,
  revision integer not null default 0,
  context jsonb not null,
  correlation_id uuid,
  parent_correlation_id uuid,
  traceparent text,
  initiator text,
  source_system text,
  reason text,
  tags text[],
  created_at timestamp with time zone not null default now(),
  done_at timestamp with time zone,
  reruns integer,
  rerun_at timestamp with time zone,
  copy_of uuid,
  restored_at timestamp with time zone,
  n_wait integer not null default 0,
  created_with text,
  undo_at timestamp with time zone,
  constraint task_pkey PRIMARY KEY (task_uuid),
  constraint task_counters CHECK (((n_active >= 0) AND (n_retry >= 0) AND (n_error >= 0) AND (((n_active + n_retry) + n_error) <= n_open))),
  constraint task_done_has_time CHECK (((done_at IS NOT NULL) = ((verdict IS NOT NULL) OR (n_open = 0)))),
  constraint task_rank CHECK (((rank >= '-100'::integer) AND (rank <= 100))),
  constraint task_verdict CHECK ((verdict = ANY (ARRAY['error'::tasker.task_state, 'cancelled'::tasker.task_state, 'resolved_manually'::tasker.task_state]))),
  constraint task_waits CHECK ((n_wait >= 0))
) with (fillfactor=50);
CREATE INDEX task_copies ON tasker.task USING btree (copy_of) WHERE (copy_of IS NOT NULL);
CREATE INDEX task_correlation ON tasker.task USING btree (correlation_id) WHERE ((correlation_id IS NOT NULL) AND (done_at IS NULL));
CREATE INDEX task_open_states ON tasker.task USING btree (state, task_uuid) WHERE (done_at IS NULL);

create table tasker.task_change (
  seq bigint not null generated always as identity,
  mark integer not null default floor((random() * (2147483647)::double precision)),
  size integer not null,
  tasks uuid[],
  constraint task_change_pkey PRIMARY KEY (seq)
);

create table tasker.task_identity (
  hash bytea not null,
  task_uuid uuid not null,
  prune_id integer,
  pruned_at timestamp with time zone,
  request_hash bytea,
  digest bytea,
  constraint task_identity_pkey PRIMARY KEY (hash)
);
CREATE UNIQUE INDEX task_identity_request ON tasker.task_identity USING btree (request_hash) WHERE (request_hash IS NOT NULL);
CREATE INDEX task_identity_task ON tasker.task_identity USING btree (task_uuid);

create table tasker.task_key (
  hash bytea not null,
  task_uuid uuid not null,
  constraint task_key_pkey PRIMARY KEY (hash)
) with (fillfactor=70);

create table tasker.task_search (
  task_uuid uuid not null,
  template_id integer not null,
  state tasker.task_state not null,
  created_at timestamp with time zone not null,
  done_at timestamp with time zone,
  updated_at timestamp with time zone not null,
  initiator text,
  source_system text,
  reason text,
  tags text[],
  correlation_id uuid,
  parent_correlation_id uuid,
  constraint task_search_pkey PRIMARY KEY (task_uuid)
);
CREATE INDEX task_search_correlation ON tasker.task_search USING btree (correlation_id) WHERE (correlation_id IS NOT NULL);
CREATE INDEX task_search_created ON tasker.task_search USING btree (created_at, task_uuid);
CREATE INDEX task_search_ended ON tasker.task_search USING btree (done_at, task_uuid) WHERE (done_at IS NOT NULL);
CREATE INDEX task_search_initiator ON tasker.task_search USING btree (initiator, created_at, task_uuid) WHERE (initiator IS NOT NULL);
CREATE INDEX task_search_open ON tasker.task_search USING btree (created_at, task_uuid) WHERE (done_at IS NULL);
CREATE INDEX task_search_parent ON tasker.task_search USING btree (parent_correlation_id) WHERE (parent_correlation_id IS NOT NULL);
CREATE INDEX task_search_reason ON tasker.task_search USING btree (reason, created_at, task_uuid) WHERE (reason IS NOT NULL);
CREATE INDEX task_search_source ON tasker.task_search USING btree (source_system, created_at, task_uuid) WHERE (source_system IS NOT NULL);
CREATE INDEX task_search_state ON tasker.task_search USING btree (template_id, state, created_at, task_uuid);
CREATE INDEX task_search_tags ON tasker.task_search USING gin (tags) WHERE (tags IS NOT NULL);
CREATE INDEX task_search_updated ON tasker.task_search USING btree (updated_at, task_uuid) WHERE (done_at IS NULL);

create table tasker.task_watch (
  task_uuid uuid not null,
  check_at timestamp with time zone not null,
  rule text,
  minutes integer,
  since timestamp with time zone,
  noted_at timestamp with time zone,
  thresholds integer[],
  constraint task_watch_pkey PRIMARY KEY (task_uuid),
  constraint task_watch_note CHECK ((num_nulls(rule, minutes, since, noted_at) = ANY (ARRAY[0, 4])))
);
CREATE INDEX task_watch_due ON tasker.task_watch USING btree (check_at);
CREATE INDEX task_watch_stale ON tasker.task_watch USING btree (task_uuid) WHERE (rule IS NOT NULL);

create table tasker.template (
  id integer not null generated always as identity,
  namespace_id integer not null,
  name text not null,
  version text not null,
  digest text not null,
  identity_strategy text not null,
  initial_count integer not null,
  root_count integer not null,
  definition jsonb not null,
  created_at timestamp with time zone not null default now(),
  registered_at timestamp with time zone not null default now(),
  stale_action text,
  max_duration_minutes integer,
  max_waiting_for_dependencies_minutes integer,
  max_waiting_for_retry_minutes integer,
  max_steps_in_process_minutes integer,
  paused boolean not null default false,
  waits boolean not null default false,
  limited boolean not null default false,
  queue_id integer not null generated always as ((
CASE
    WHEN paused THEN '-1'::integer
    ELSE 1
END * ((namespace_id +
CASE
    WHEN waits THEN 1073741824
    ELSE 0
END) +
CASE
    WHEN limited THEN 268435456
    ELSE 0
END))) stored,
  max_waiting_minutes integer,
  routed boolean not null default false,
  undoable boolean not null default false,
  registered_by_program boolean not null default false,
  constraint template_pkey PRIMARY KEY (id),
  constraint template_namespace_id_name_version_digest_key UNIQUE (namespace_id, name, version, digest),
  constraint template_namespace_id_fkey FOREIGN KEY (namespace_id) REFERENCES tasker.namespace(id),
  constraint template_identity CHECK ((identity_strategy = ANY (ARRAY['strict'::text, 'caller_provided'::text, 'always_unique'::text]))),
  constraint template_limits CHECK (((stale_action IS NULL) = (COALESCE(max_duration_minutes, max_waiting_for_dependencies_minutes, max_waiting_for_retry_minutes, max_steps_in_process_minutes, max_waiting_minutes) IS NULL))),
  constraint template_stale_action CHECK ((stale_action = ANY (ARRAY['dlq'::text, 'error'::text])))
);
CREATE INDEX template_on_blocked ON tasker.template USING btree (id) WHERE ((definition #>> '{lifecycle,on_blocked}'::text[]) = 'dlq'::text);

create table tasker.template_edge (
  template_id integer not null,
  parent integer not null,
  child integer not null,
  constraint template_edge_pkey PRIMARY KEY (template_id, parent, child),
  constraint template_edge_template_id_fkey FOREIGN KEY (template_id) REFERENCES tasker.template(id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX template_edge_child ON tasker.template_edge USING btree (template_id, child, parent);

create table tasker.template_step (
  template_id integer not null,
  idx integer not null,
  name text not null,
  callable text not null,
  parents integer not null,
  initial boolean not null,
  max_attempts integer not null,
  retryable boolean not null,
  lost_attempts integer,
  retry_ms bigint,
  resolver text,
  constraint template_step_pkey PRIMARY KEY (template_id, idx),
  constraint template_step_template_id_fkey FOREIGN KEY (template_id) REFERENCES tasker.template(id) ON DELETE CASCADE
);

create table tasker.timer (
  due_at timestamp with time zone not null,
  task_uuid uuid not null,
  idx integer not null,
  template_id integer not null,
  rank smallint not null,
  constraint timer_pkey PRIMARY KEY (due_at, task_uuid, idx)
);

create table tasker.vote (
  task_uuid uuid not null,
  idx integer not null,
  attempt integer not null,
  voter text not null,
  decision text not null,
  comment text,
  form jsonb,
  voted_as text,
  voted_at timestamp with time zone not null default now(),
  changes integer not null default 0,
  constraint vote_pkey PRIMARY KEY (task_uuid, idx, attempt, voter),
  constraint vote_decision CHECK ((decision = ANY (ARRAY['approve'::text, 'reject'::text])))
);

create table tasker.wait (
  task_uuid uuid not null,
  idx integer not null,
  kind text not null,
  attempt integer not null default 0,
  claim bigint,
  template_id integer not null,
  rank smallint not null,
  since timestamp with time zone not null default now(),
  until timestamp with time zone,
  due_at timestamp with time zone,
  calls integer not null default 0,
  settings jsonb not null default '{}'::jsonb,
  progress jsonb not null default '{}'::jsonb,
  ended_at timestamp with time zone,
  ended_by text,
  constraint wait_pkey PRIMARY KEY (task_uuid, idx),
  constraint wait_end CHECK ((num_nulls(ended_at, ended_by) = ANY (ARRAY[0, 2]))),
  constraint wait_kind CHECK ((kind = ANY (ARRAY['start'::text, 'timer'::text, 'signal'::text, 'approval'::text, 'task'::text, 'tasks'::text, 'completion'::text, 'call'::text]))),
  constraint wait_of_start CHECK (((kind = 'start'::text) = (idx = '-1'::integer)))
) with (fillfactor=50);
CREATE INDEX wait_approvals ON tasker.wait USING btree (since, task_uuid, idx) WHERE ((kind = 'approval'::text) AND (ended_at IS NULL));
CREATE INDEX wait_due ON tasker.wait USING btree (due_at) WHERE ((ended_at IS NULL) AND (due_at IS NOT NULL));
CREATE INDEX wait_open ON tasker.wait USING btree (kind, since) WHERE ((ended_at IS NULL) AND (kind IS NOT NULL));

create table tasker.web_session (
  hash bytea not null,
  key_id uuid,
  subject text not null,
  roles text[] not null,
  permissions text[] not null,
  namespaces text[],
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  constraint web_session_pkey PRIMARY KEY (hash),
  constraint web_session_key_id_fkey FOREIGN KEY (key_id) REFERENCES tasker.api_key(key_id),
  constraint web_session_is_sha256 CHECK ((octet_length(hash) = 32))
);
CREATE INDEX web_session_expires ON tasker.web_session USING btree (expires_at);
CREATE INDEX web_session_key ON tasker.web_session USING btree (key_id);

create table tasker.worker (
  id bigint not null generated always as identity,
  name text not null,
  host text not null,
  pid integer not null,
  namespaces text[] not null,
  callables text[] not null,
  concurrency integer not null,
  state tasker.worker_state not null default 'alive'::tasker.worker_state,
  started_at timestamp with time zone not null default now(),
  lease_until timestamp with time zone not null,
  instance uuid,
  version text,
  seen_at timestamp with time zone,
  running integer,
  completed bigint,
  failed bigint,
  completed_rate real,
  failed_rate real,
  loop_lag_ms integer,
  phase text,
  drain_at timestamp with time zone,
  drain_by text,
  drain_reason text,
  protocol integer,
  hung integer,
  announces_all boolean not null default false,
  constraint worker_pkey PRIMARY KEY (id),
  constraint worker_drain CHECK ((num_nulls(drain_at, drain_by) = ANY (ARRAY[0, 2]))),
  constraint worker_phase CHECK ((phase = ANY (ARRAY['running'::text, 'draining'::text, 'drained'::text])))
);
CREATE INDEX worker_gone ON tasker.worker USING btree (lease_until) WHERE (state = ANY (ARRAY['buried'::tasker.worker_state, 'stopped'::tasker.worker_state]));
CREATE INDEX worker_living ON tasker.worker USING btree (lease_until) WHERE (state = ANY (ARRAY['alive'::tasker.worker_state, 'dead'::tasker.worker_state]));
