import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

// The clock is read after the lock, because the transaction may have waited for it. Tasks and templates are looked up
// individually, because the planner would scan a table that looks empty to it.
const COLUMNS = `
  w.task_uuid "taskUuid", w.idx, w.attempt, w.template_id "templateId", w.rank, w.calls, tasker.iso(w.since) since,
  tasker.iso(w.until) until, tasker.iso(w.due_at) "dueAt", coalesce(w.until <= clock_timestamp(), false) late,
  tasker.iso(w.ended_at) "endedAt", w.ended_by "endedBy", w.settings, w.progress, n.namespace, n.name, n.version, n.step,
  n.paused, t.verdict, v.votes::text`;
const JOINS = `
  cross join lateral (
    select s.name namespace, m.name, m.version, tasker.step_name(null, ts.name, w.idx) step,
           m.paused or exists (select 1 from tasker.pause p where p.task_uuid = w.task_uuid and p.resumed_at is null) paused
      from tasker.template m join tasker.namespace s on s.id = m.namespace_id
      join tasker.template_step ts on ts.template_id = m.id and ts.idx = tasker.template_idx(w.idx)
     where m.id = w.template_id offset 0) n
  cross join lateral (
    select x.verdict::text from tasker.task x where x.task_uuid = w.task_uuid offset 0) t
  cross join lateral (
    select coalesce(json_agg(json_build_object(
             'by', x.voter, 'decision', x.decision, 'at', tasker.iso(x.voted_at), 'comment', x.comment, 'form', x.form,
             'as', x.voted_as, 'changes', x.changes) order by x.voted_at, x.voter), '[]') votes
      from tasker.vote x where x.task_uuid = w.task_uuid and x.idx = w.idx and x.attempt = w.attempt offset 0) v`;

/** An approval, open or ended. Times are ISO 8601. */
export interface ApprovalRow {
  taskUuid: string;
  idx: number;
  attempt: number;
  templateId: number;
  rank: number;
  calls: number;
  since: string;
  until: string | null;
  dueAt: string | null;
  /** Whether its timeout has passed. */
  late: boolean;
  endedAt: string | null;
  endedBy: string | null;
  /** JSON text. */
  settings: string;
  progress: string;
  namespace: string;
  name: string;
  version: string;
  step: string;
  paused: boolean;
  /** How an operator ended the task. Null if no operator did. */
  verdict: string | null;
  /** JSON text. */
  votes: string;
}

const GET = sql('get_approval')`
select ${COLUMNS} from tasker.wait w ${JOINS} where w.task_uuid = $1 and w.idx = $2 and w.kind = 'approval'`;

/** Returns the approval that a step waits for, or has waited for. */
export async function getApproval(db: Db, taskUuid: string, idx: number): Promise<ApprovalRow | undefined> {
  return (await db.query<ApprovalRow>(GET, [taskUuid, idx])).rows[0];
}

/** The conditions on the approvals to list. Null means any. */
export interface ApprovalSearch {
  templateIds: readonly number[] | null;
  assignee: string | null;
  /** The last approval of the previous page. */
  after: { since: string; taskUuid: string; idx: number } | null;
  limit: number;
}

/** The people who may vote now: those of the template until an operator changes them. */
const ASSIGNEES = `coalesce(w.progress -> 'assignees', w.settings -> 'assignees', '[]'::jsonb)`;

const MATCHES = `
   w.kind = 'approval' and w.ended_at is null and ($1::int[] is null or w.template_id = any ($1))
     and ($2::text is null or ${ASSIGNEES} ? $2 or ${ASSIGNEES} = '[]')`;

const LIST = sql('list_approvals')`
with page as materialized (
  select * from tasker.wait w
   where ${MATCHES}
     and ($3::timestamptz is null or (w.since, w.task_uuid, w.idx) > ($3::timestamptz, $4::uuid, $5::int))
   order by w.since, w.task_uuid, w.idx limit $6)
select ${COLUMNS} from page w ${JOINS} order by w.since, w.task_uuid, w.idx`;

/** Returns open approvals, the oldest first. */
export async function listApprovals(db: Db, search: ApprovalSearch): Promise<ApprovalRow[]> {
  const { templateIds, assignee, after, limit } = search;
  const templates = templateIds && `{${templateIds.join(',')}}`;
  const place = [after?.since ?? null, after?.taskUuid ?? null, after?.idx ?? null];
  const values = [templates, assignee, ...place, limit];
  return (await db.query<ApprovalRow>(LIST, values)).rows;
}

/** Approvals are counted up to this number. */
export const MOST_APPROVALS = 10_000;

const COUNT = sql('count_approvals')`
select count(*)::int total from (select 1 from tasker.wait w where ${MATCHES} limit ${MOST_APPROVALS}) x`;

/** Counts open approvals, up to 10,000. */
export async function countApprovals(
  db: Db,
  { templateIds, assignee }: Pick<ApprovalSearch, 'templateIds' | 'assignee'>,
): Promise<number> {
  const templates = templateIds && `{${templateIds.join(',')}}`;
  return (await db.query<{ total: number }>(COUNT, [templates, assignee])).rows[0]!.total;
}

const OF_TASK = sql('approvals_of_task')`
select ${COLUMNS} from tasker.wait w ${JOINS} where w.task_uuid = $1 and w.kind = 'approval' order by w.idx`;

/** Returns all approvals of a task, open and ended. */
export async function approvalsOfTask(db: Db, taskUuid: string): Promise<ApprovalRow[]> {
  return (await db.query<ApprovalRow>(OF_TASK, [taskUuid])).rows;
}

const VOTE = sql('vote')`
insert into tasker.vote as v (task_uuid, idx, attempt, voter, decision, comment, form, voted_as, voted_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())
on conflict (task_uuid, idx, attempt, voter) do update
   set decision = excluded.decision, comment = excluded.comment, form = excluded.form, voted_as = excluded.voted_as,
       voted_at = excluded.voted_at, changes = v.changes + 1
returning tasker.iso(v.voted_at) at, v.changes`;

/** A vote to store. */
export interface NewVote {
  by: string;
  decision: 'approve' | 'reject';
  comment: string | null;
  /** JSON text. */
  form: string | null;
  votedAs: string | null;
}

/** Stores the vote of a person, or changes it. Call it after lockTasks. */
export async function storeVote(
  db: Db,
  { taskUuid, idx, attempt }: Pick<ApprovalRow, 'taskUuid' | 'idx' | 'attempt'>,
  { by, decision, comment, form, votedAs }: NewVote,
): Promise<{ at: string; changes: number }> {
  const values = [taskUuid, idx, attempt, by, decision, comment, form, votedAs];
  return (await db.query<{ at: string; changes: number }>(VOTE, values)).rows[0]!;
}

const DROP_VOTES = sql('drop_votes')`
delete from tasker.vote where task_uuid = $1 and idx = $2 and attempt = $3
   and (voted_as is null or voted_as <> all ($4::text[])) and voter <> all ($4::text[])
returning voter`;

/** Deletes the votes of people who are not among these, and returns their names. Call it after lockTasks. */
export async function dropVotes(
  db: Db,
  { taskUuid, idx, attempt }: Pick<ApprovalRow, 'taskUuid' | 'idx' | 'attempt'>,
  remaining: readonly string[],
): Promise<string[]> {
  const { rows } = await db.query<{ voter: string }>(DROP_VOTES, [taskUuid, idx, attempt, remaining]);
  return rows.map((row) => row.voter).sort();
}

const NOTE_PROGRESS = sql('note_wait_progress')`
update tasker.wait set progress = progress || $3::jsonb where task_uuid = $1 and idx = $2 and ended_at is null`;

/** Adds to the progress of an open wait. `progress`: JSON text. Call it after lockTasks. */
export async function noteProgress(
  db: Db,
  { taskUuid, idx }: Pick<ApprovalRow, 'taskUuid' | 'idx'>,
  progress: string,
): Promise<void> {
  await db.query(NOTE_PROGRESS, [taskUuid, idx, progress]);
}
