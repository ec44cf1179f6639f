import type { Db, Statement } from '../db/statement.ts';

// kind: 0 completed, 1 failed and may be tried again, 2 failed for good, 3 given back (spends no attempt), 4 lost for good
// with its worker.
// No CTE is joined to a CTE, and no table to a list by its key: rows are looked up one by one (lateral, offset 0) and
// updated by ctid. Joined freely, statistics from a moment when no step ran make the planner read the whole table for
// each batch and compare all with all: 50,000 steps a second fell to 2,000. The tasks are locked, so a ctid holds.
// The children that become ready are claimed here for this worker up to its free slots ($10), unless steps of a higher
// priority wait ($12); the others go to the queue.
// Templates without dynamic steps do without the parts about batches: a look at an empty table for each step and each
// child is not free. Batches without events do without the part about those, for the same reason. The events of a step go
// with its row; an event that tells of another attempt to come, or of none, is written only if that is what was recorded.
const recordText = ({ dynamic, events }: { dynamic: boolean; events: boolean }) => `
with done as (
  update tasker.step s set
    state = case d.kind when 0 then 'complete'::tasker.step_state when 3 then 'enqueued'
      when 1 then case when s.retryable and s.attempts - s.spared < s.max_attempts
        then case when d.delay > 0 then 'waiting_for_retry'::tasker.step_state else 'enqueued' end else 'error' end
      else 'error' end,
    result = case when d.kind = 0 then d.result end,
    spared = s.spared + case when d.kind = 3 then 1 else 0 end,
    done_at = now(),
    next_at = case when d.kind = 1 and d.delay > 0 then now() + d.delay * interval '1 ms' end
    from (select d.*, x.tid${dynamic ? ', coalesce(b.tolerant, false) tolerant' : ''} from rows from (
      unnest($1::uuid[], $2::int[], $3::bigint[], $4::smallint[], $5::int[], $6::int[], $7::smallint[], $8::int[]),
      jsonb_array_elements($9::jsonb), jsonb_array_elements($13::jsonb)${events ? ', jsonb_array_elements($14::jsonb)' : ''}
    ) with ordinality d (task_uuid, idx, claim, kind, delay, template_id, rank, ms, result, detail, ${events ? 'told, ' : ''}ord)
      cross join lateral (
        select ctid tid from tasker.step x
         where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state = 'in_progress' and x.claim = d.claim offset 0) x${
           dynamic
             ? `
      left join lateral (
        select x.failure_strategy <> 'fail_fast' tolerant from tasker.batch x
         where d.idx >= 131072 and x.task_uuid = d.task_uuid and x.worker_idx = tasker.template_idx(d.idx) offset 0) b on true`
             : ''
         }) d
   where s.ctid = d.tid
  returning s.task_uuid, s.idx, s.state, s.attempts, s.spared, s.max_attempts, s.started_at, s.next_at,
    d.claim, d.kind, d.template_id, d.rank, d.ms, d.detail, d.ord,${events ? ' d.result, d.told,' : ''}
    s.state = 'complete'${dynamic ? " or (s.state = 'error' and d.tolerant)" : ''} closed),
dec as (
  select x.task_uuid, x.template_id, x.rank, x.child, count(*)::int n, min(x.ord) ord, row_number() over (order by x.rank, x.task_uuid, x.child) r
    from (${
      dynamic
        ? // A child that is made from a batch_worker stands for all workers of its batch.
          `select d.task_uuid, d.template_id, d.rank, d.ord, coalesce(w.idx, e.child) child
            from done d cross join lateral (
              select child from tasker.template_edge x
               where x.template_id = d.template_id and x.parent = tasker.template_idx(d.idx) offset 0) e
            left join lateral (
              select ((x.worker_idx + 1) << 17) + g idx from tasker.batch x cross join lateral generate_series(0, x.size - 1) g
               where x.task_uuid = d.task_uuid and x.worker_idx = e.child offset 0) w on true
           where d.closed`
        : `select d.task_uuid, d.template_id, d.rank, d.ord, e.child from done d cross join lateral (
            select child from tasker.template_edge x where x.template_id = d.template_id and x.parent = d.idx offset 0) e
           where d.closed`
    }) x
   group by 1, 2, 3, 4),
k as (
  update tasker.step s set
    remaining = s.remaining - dec.n,
    state = case when s.remaining > dec.n${dynamic ? ' or dec.gated' : ''} then 'pending'::tasker.step_state
      when dec.r <= $10 and dec.rank <= $12 then 'in_progress' else 'enqueued' end,
    claim = case when s.remaining <= dec.n and dec.r <= $10 and dec.rank <= $12${dynamic ? ' and not dec.gated' : ''} then $11::bigint end,
    attempts = s.attempts + case when s.remaining <= dec.n and dec.r <= $10 and dec.rank <= $12${dynamic ? ' and not dec.gated' : ''} then 1 else 0 end,
    started_at = case when s.remaining <= dec.n and dec.r <= $10 and dec.rank <= $12${dynamic ? ' and not dec.gated' : ''} then statement_timestamp() end
    from (select dec.*, x.tid${dynamic ? ', coalesce(b.gated, false) gated' : ''} from dec cross join lateral (
            select ctid tid from tasker.step x
             where x.task_uuid = dec.task_uuid and x.idx = dec.child and x.state = 'pending' offset 0) x${
               dynamic
                 ? `
          left join lateral (
            select dec.child >= x.next_idx gated from tasker.batch x
             where dec.child >= 131072 and x.task_uuid = dec.task_uuid and x.worker_idx = tasker.template_idx(dec.child) offset 0) b on true`
                 : ''
             }) dec
   where s.ctid = dec.tid
  returning s.task_uuid, s.idx, s.state, s.attempts, s.spared, s.max_attempts, dec.template_id, dec.rank, dec.ord),${
    dynamic
      ? `
places as (
  update tasker.batch b set n_active = b.n_active + c.n
    from (select task_uuid, tasker.template_idx(idx) worker_idx, sum(n)::int n
            from (select task_uuid, idx, -1 n from done where idx >= 131072 and state in ('complete', 'error')
                  union all select task_uuid, idx, 1 from k where idx >= 131072 and state <> 'pending') x
           group by 1, 2) c
   where b.task_uuid = c.task_uuid and b.worker_idx = c.worker_idx),`
      : ''
  }
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select (select namespace_id from tasker.template t where t.id = y.template_id), rank, task_uuid, idx, template_id
    from (select template_id, rank, task_uuid, idx from k where state = 'enqueued'
          union all select template_id, rank, task_uuid, idx from done where state = 'enqueued') y),
tm as (
  insert into tasker.timer (due_at, task_uuid, idx, template_id, rank)
  select next_at, task_uuid, idx, template_id, rank from done where state = 'waiting_for_retry'),
h as (
  insert into tasker.history (task_uuid, idx, attempt, worker_id, outcome, state, started_at, duration_ms, detail)
  select task_uuid, idx, attempts, claim >> 24,
    case kind when 0 then 'completed'::tasker.outcome when 3 then 'released' when 4 then 'worker_lost' else 'failed' end,
    state, started_at, ms, nullif(detail, 'null') from done),${
      events
        ? // Without a payload of its own, the payload is the result, and the execution does without that.
          `
ev as (
  insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, metadata, execution)
  select (e.event ->> 'id')::uuid, e.event ->> 'name', d.task_uuid, d.idx, d.attempts, e.event ->> 'publisher',
    coalesce(e.event -> 'payload', d.result), e.event -> 'metadata',
    case when d.kind = 0 and e.event ? 'payload' then (d.told -> 'execution') || jsonb_build_object('result', d.result)
      else d.told -> 'execution' end
    from done d cross join lateral jsonb_array_elements(d.told -> 'events') with ordinality e (event, place)
   where coalesce((e.event -> 'retried')::boolean = (d.state <> 'error'), true)
   order by d.ord, e.place),`
        : ''
    }
t as (
  update tasker.task set
    n_open = n_open - c.done, n_active = n_active + c.act, n_retry = n_retry + c.ret, n_error = n_error + c.err,
    done_at = case when n_open = c.done then now() end
    from (select c.*, x.tid from (
          select task_uuid, min(ord) filter (where rec) ord,
                 (count(*) filter (where rec and closed))::int done,
                 (count(*) filter (where rec and state = 'waiting_for_retry'))::int ret,
                 (count(*) filter (where rec and state = 'error' and not closed))::int err,
                 (count(*) filter (where not rec) - count(*) filter (where rec and state <> 'enqueued'))::int act
            from (select task_uuid, state, closed, true rec, ord from done
                  union all select task_uuid, state, false, false, null from k where state <> 'pending') y
           group by 1) c
          cross join lateral (select ctid tid from tasker.task x where x.task_uuid = c.task_uuid offset 0) x) c
   where task.ctid = c.tid
  returning task.state, c.ord, (extract(epoch from now() - task.created_at) * 1000)::bigint ms)
select child.*, ended.*, rest.*
  from (select array_agg(ord)::text child_ords, array_agg(idx)::text idxs, array_agg(attempts)::text attempts,
               array_agg(spared)::text spared, array_agg(max_attempts)::text max_attempts
          from k where state = 'in_progress') child,
       (select array_agg(ord)::text ended_ords, array_agg((state = 'complete')::int)::text complete, array_agg(ms)::text ms
          from t where state in ('complete', 'blocked_by_failures')) ended,
       (select case when count(*) < cardinality($1::uuid[]) then coalesce(array_agg(ord)::text, '{}') end accepted,
               (select count(*) from k where state = 'enqueued')::int + (count(*) filter (where state = 'enqueued'))::int queued,
               ${events ? 'tasker.iso(now()) recorded_at,' : ''}
               json_agg(json_build_object('ord', ord, 'state', state, 'attempts', attempts, 'spared', spared, 'max_attempts', max_attempts))
                 filter (where kind <> 0)::text uncompleted
          from done) rest`;

const RECORD_STEPS: Statement = { name: 'record_steps', text: recordText({ dynamic: false, events: false }) };
const RECORD_DYNAMIC_STEPS: Statement = {
  name: 'record_steps_dynamic',
  text: recordText({ dynamic: true, events: false }),
};
const RECORD_STEPS_EVENTS: Statement = {
  name: 'record_steps_events',
  text: recordText({ dynamic: false, events: true }),
};
const RECORD_DYNAMIC_STEPS_EVENTS: Statement = {
  name: 'record_steps_dynamic_events',
  text: recordText({ dynamic: true, events: true }),
};

/** What became of one attempt, as the statement takes it. */
export const KIND = { completed: 0, retryable: 1, permanent: 2, released: 3, lost: 4 } as const;

/** One attempt's end. */
export interface RecordedStep {
  taskUuid: string;
  idx: number;
  claim: number;
  kind: (typeof KIND)[keyof typeof KIND];
  /** Milliseconds until a retry; 0: at once. */
  delayMs: number;
  templateId: number;
  rank: number;
  durationMs: number;
  /** JSON text of the result, `null` for a failure. */
  result: string;
  /** JSON text of error and metadata, or `null`. */
  detail: string;
  /** Undefined: no event is stored. */
  events?: EventsText | undefined;
}

/** Events that are made a text when they are sent: those that wait for it take less memory so. */
export interface EventsText {
  /** About how many characters it has. */
  readonly size: number;
  /** JSON of {@link StepEvents}. */
  text(): string;
}

/** The events that are stored with a step. */
export interface StepEvents {
  /** What the attempt came to, as it is stored with each of them. */
  execution: unknown;
  events: {
    id: string;
    name: string;
    publisher: string;
    /** Absent: the step's result. */
    payload?: unknown;
    metadata?: unknown;
    /** Present: it is stored only if the step will be tried again (true), or will not (false). */
    retried?: boolean;
  }[];
}

/** How the children that become ready are shared out. */
export interface OwnClaim {
  freeSlots: number;
  /** The fence of the steps claimed here. */
  token: number;
  /** Children of a lower priority (a greater rank) than this go to the queue. */
  lastRank: number;
}

/** A child that became ready and is held by this worker now. */
export interface ChildRow {
  task_uuid: string;
  idx: number;
  attempts: number;
  spared: number;
  max_attempts: number;
  template_id: number;
  rank: number;
}

/** A task that came to its end, or to a stop, with this recording. */
export interface EndedTaskRow {
  task_uuid: string;
  state: 'complete' | 'blocked_by_failures';
  /** Milliseconds since its creation. */
  ms: number;
}

/** A step that did not complete: where it stands now. */
export interface UncompletedRow {
  task_uuid: string;
  idx: number;
  state: 'enqueued' | 'waiting_for_retry' | 'error';
  attempts: number;
  spared: number;
  max_attempts: number;
}

/** The answer to a recording. */
export interface Recorded {
  children: ChildRow[];
  ended: EndedTaskRow[];
  uncompleted: UncompletedRow[];
  /** Positions in the batch that were refused by the fence; the others were accepted. */
  refused: number[];
  /** Steps that went to the queue: children beyond the free slots, retries at once, steps given back. */
  queued: number;
  /** The time of the events that were stored with it, in ISO 8601; undefined: none was. */
  recordedAt: string | undefined;
}

/** One row, however many steps: lists of numbers as array literals, positions in the batch from 1. */
interface AnswerRow {
  child_ords: string | null;
  idxs: string | null;
  attempts: string | null;
  spared: string | null;
  max_attempts: string | null;
  ended_ords: string | null;
  complete: string | null;
  ms: string | null;
  /** Null: all of them. */
  accepted: string | null;
  queued: number;
  /** Of the statement that stores events. */
  recorded_at?: string;
  uncompleted: string | null;
}

/** Records what came of many attempts, moves their tasks on, and takes ready children for this worker. After {@link lockTasks}. */
export async function recordSteps(
  db: Db,
  batch: readonly RecordedStep[],
  own: OwnClaim & { dynamic?: boolean },
): Promise<Recorded> {
  const values = parameters(batch, own);
  const events = columnOfSome(batch, (step) => step.events?.text() ?? 'null');
  if (events !== '[]') values.push(events);
  const { rows } = await db.query<AnswerRow>(statementFor(own.dynamic ?? false, events !== '[]'), values);
  return readAnswer(rows[0]!, batch);
}

function statementFor(dynamic: boolean, events: boolean): Statement {
  if (events) return dynamic ? RECORD_DYNAMIC_STEPS_EVENTS : RECORD_STEPS_EVENTS;
  return dynamic ? RECORD_DYNAMIC_STEPS : RECORD_STEPS;
}

/** JSON texts of which most are `null`: those after the last that is not are left out. */
function columnOfSome(batch: readonly RecordedStep[], of: (step: RecordedStep) => string): string {
  const texts: string[] = [];
  for (let i = 0; i < batch.length; i++) {
    const text = of(batch[i]!);
    if (text === 'null') continue;
    while (texts.length < i) texts.push('null');
    texts.push(text);
  }
  return `[${texts.join(',')}]`;
}

// Arrays are sent as literals made here: the driver's own conversion quotes element by element.
function parameters(batch: readonly RecordedStep[], own: OwnClaim): unknown[] {
  const column = (of: (step: RecordedStep) => string | number) => `{${batch.map(of).join(',')}}`;
  return [
    column((step) => step.taskUuid),
    column((step) => step.idx),
    column((step) => step.claim),
    column((step) => step.kind),
    column((step) => step.delayMs),
    column((step) => step.templateId),
    column((step) => step.rank),
    column((step) => step.durationMs),
    `[${batch.map((step) => step.result).join(',')}]`,
    own.freeSlots,
    own.token,
    own.lastRank,
    columnOfSome(batch, (step) => step.detail),
  ];
}

function readAnswer(row: AnswerRow, batch: readonly RecordedStep[]): Recorded {
  return {
    children: childrenIn(row, batch),
    ended: endedIn(row, batch),
    uncompleted: uncompletedIn(row, batch),
    refused: row.accepted === null ? [] : missing(numbersIn(row.accepted), batch.length),
    queued: row.queued,
    recordedAt: row.recorded_at,
  };
}

function childrenIn(row: AnswerRow, batch: readonly RecordedStep[]): ChildRow[] {
  const ords = numbersIn(row.child_ords);
  const [idxs, attempts, spared, most] = [row.idxs, row.attempts, row.spared, row.max_attempts].map(numbersIn);
  return ords.map((ord, i) => {
    const { taskUuid, templateId, rank } = batch[ord - 1]!;
    return {
      task_uuid: taskUuid,
      idx: idxs![i]!,
      attempts: attempts![i]!,
      spared: spared![i]!,
      max_attempts: most![i]!,
      template_id: templateId,
      rank,
    };
  });
}

function endedIn(row: AnswerRow, batch: readonly RecordedStep[]): EndedTaskRow[] {
  const [complete, ms] = [row.complete, row.ms].map(numbersIn);
  return numbersIn(row.ended_ords).map((ord, i) => ({
    task_uuid: batch[ord - 1]!.taskUuid,
    state: complete![i] === 1 ? 'complete' : 'blocked_by_failures',
    ms: ms![i]!,
  }));
}

function uncompletedIn({ uncompleted }: AnswerRow, batch: readonly RecordedStep[]): UncompletedRow[] {
  if (uncompleted === null) return [];
  const rows = JSON.parse(uncompleted) as (Omit<UncompletedRow, 'task_uuid' | 'idx'> & { ord: number })[];
  return rows.map(({ ord, ...row }) => {
    const { taskUuid, idx } = batch[ord - 1]!;
    return { task_uuid: taskUuid, idx, ...row };
  });
}

/** An array literal of whole numbers. The driver's own reading goes character by character. */
function numbersIn(literal: string | null): number[] {
  return literal === null ? [] : (JSON.parse(`[${literal.slice(1, -1)}]`) as number[]);
}

function missing(accepted: number[], sent: number): number[] {
  const present = new Set(accepted);
  return Array.from({ length: sent }, (_, i) => i).filter((i) => !present.has(i + 1));
}
