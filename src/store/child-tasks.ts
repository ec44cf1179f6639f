import type { Db } from '../db/statement.ts';
import { columns, lists, sql } from './sql.ts';
import type { HeldKey, StepKey } from './step-key.ts';

const LEVEL_OF_TASK = sql('level_of_task')`
select t.initiator, c.root_uuid "rootUuid", coalesce(c.level, 0)::int as level
  from tasker.task t left join tasker.child_task c on c.child_uuid = t.task_uuid
 where t.task_uuid = $1`;

/** The place of a task among parent and child tasks. */
export interface LevelOfTask {
  initiator: string | null;
  /** Null for a task without a parent. */
  rootUuid: string | null;
  /** Number of tasks above it. */
  level: number;
}

/** Returns the place of a task. Undefined if the task does not exist. */
export async function levelOfTask(db: Db, taskUuid: string): Promise<LevelOfTask | undefined> {
  return (await db.query<LevelOfTask>(LEVEL_OF_TASK, [taskUuid])).rows[0];
}

const INSERT_CHILDREN = sql('insert_children')`
insert into tasker.child_task (child_uuid, parent_uuid, idx, attempt, root_uuid, level, abandoned)
select d.child_uuid, d.parent_uuid, d.idx, w.attempt, d.root_uuid, d.level, d.abandoned
  from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::smallint[], $6::boolean[])
       d (child_uuid, parent_uuid, idx, root_uuid, level, abandoned)
 cross join lateral (
   select x.attempt from tasker.wait x where x.task_uuid = d.parent_uuid and x.idx = d.idx and x.ended_at is null offset 0) w`;

/** A child task, and the step that waits for it. */
export interface NewChild {
  childUuid: string;
  parentUuid: string;
  idx: number;
  rootUuid: string;
  level: number;
  /** Whether the child continues when its step no longer waits for it. */
  abandoned: boolean;
}

/** Links new tasks to the steps that wait for them. Call it in the transaction that begins the waits. */
export async function insertChildren(db: Db, children: readonly NewChild[]): Promise<void> {
  await db.query(
    INSERT_CHILDREN,
    columns(children, 'childUuid', 'parentUuid', 'idx', 'rootUuid', 'level', 'abandoned'),
  );
}

/** Returns the number of attempts before the current run of a step `s`. A reset and a rerun begin a run. */
const runOf = (s: string) => `greatest(${s}.earlier_attempts, ${s}.reset_attempts, 0)`;

const KEYED_CHILDREN = sql('keyed_children')`
select o.started, c.key, c.child_uuid "childUuid", n.name namespace, m.name
  from (select s.task_uuid, s.idx, ${runOf('s')} run from tasker.step s
         where s.task_uuid = $1 and s.idx = $2 and s.state = 'in_progress' and s.claim = $3) s
 cross join lateral (
   select count(*)::int started from tasker.child_task x
    where x.parent_uuid = s.task_uuid and x.idx = s.idx and x.run = s.run and x.key is not null) o
  left join lateral (
    select x.key, x.child_uuid from tasker.child_task x
     where x.parent_uuid = s.task_uuid and x.idx = s.idx and x.run = s.run and x.key = any ($4::text[]) offset 0) c on true
  left join lateral (select x.template_id from tasker.task x where x.task_uuid = c.child_uuid offset 0) t on true
  left join tasker.template m on m.id = t.template_id
  left join tasker.namespace n on n.id = m.namespace_id`;

/** A child that a handler started with a key. */
export interface KeyedChild {
  key: string;
  childUuid: string;
  /** The template of the child. Null if the child was deleted. */
  namespace: string | null;
  name: string | null;
}

/**
 * Returns the number of children that the handler of a running step has started in this run, and those with these keys.
 * Undefined if the step is no longer held under this claim.
 */
export async function keyedChildren(
  db: Db,
  { taskUuid, idx, claim }: HeldKey,
  keys: readonly string[],
): Promise<{ started: number; children: KeyedChild[] } | undefined> {
  type Row = { started: number } & (KeyedChild | Record<keyof KeyedChild, null>);
  const { rows } = await db.query<Row>(KEYED_CHILDREN, [taskUuid, idx, claim, keys]);
  const [first] = rows;
  if (!first) return undefined;
  return { started: first.started, children: rows.filter((row): row is Row & KeyedChild => row.key !== null) };
}

// The step's row stays locked until the commit, so that no other worker can claim the step before that.
const INSERT_KEYED_CHILDREN = sql('insert_keyed_children')`
with held as materialized (
  select s.task_uuid, s.idx, ${runOf('s')} run from tasker.step s
   where s.task_uuid = $1 and s.idx = $2 and s.state = 'in_progress' and s.claim = $3 for share)
insert into tasker.child_task (child_uuid, parent_uuid, idx, root_uuid, level, abandoned, run, key)
select d.child_uuid, held.task_uuid, held.idx, d.root_uuid, d.level, d.abandoned, held.run, d.key
  from held cross join unnest($4::uuid[], $5::uuid[], $6::smallint[], $7::boolean[], $8::text[])
       d (child_uuid, root_uuid, level, abandoned, key)
returning 1`;

/**
 * Links new tasks to the running step whose handler started them. Returns false, and writes nothing, if the step is no longer
 * held under this claim.
 */
export async function insertKeyedChildren(
  db: Db,
  { taskUuid, idx, claim }: HeldKey,
  children: readonly (Omit<NewChild, 'parentUuid' | 'idx'> & { key: string })[],
): Promise<boolean> {
  const values = [...columns(children, 'childUuid', 'rootUuid', 'level', 'abandoned'), ...lists(children, 'key')];
  return (await db.query(INSERT_KEYED_CHILDREN, [taskUuid, idx, claim, ...values])).rows.length > 0;
}

const LIST_CHILDREN = sql('list_children')`
update tasker.child_task c set attempt = $4, settled_at = case when d.ended then statement_timestamp() end
  from (
    select x.child_uuid, t.task_uuid is null or t.done_at is not null ended, t.template_id
      from tasker.step s join tasker.child_task x on x.parent_uuid = s.task_uuid and x.idx = s.idx and x.run = ${runOf('s')}
      left join lateral (
        select y.task_uuid, y.done_at, y.template_id from tasker.task y where y.task_uuid = x.child_uuid offset 0) t on true
     where s.task_uuid = $1 and s.idx = $2 and x.key is not null and x.child_uuid = any ($3::uuid[])) d
 where c.child_uuid = d.child_uuid
returning c.child_uuid "childUuid", d.template_id "templateId", d.ended`;

/** A child that a step has begun to wait for. */
export interface ListedChild {
  childUuid: string;
  /** Null if the child was deleted. */
  templateId: number | null;
  /** Whether it has ended or was deleted. */
  ended: boolean;
}

/**
 * Lets the wait of a step, which has just begun, wait for children that its handler has started in this run. Returns those
 * among these tasks. Call it after lockTasks.
 */
export async function listChildren(
  db: Db,
  { taskUuid, idx, attempt }: StepKey & { attempt: number },
  childUuids: readonly string[],
): Promise<ListedChild[]> {
  return (await db.query<ListedChild>(LIST_CHILDREN, [taskUuid, idx, `{${childUuids.join(',')}}`, attempt])).rows;
}

const ENDED_LISTS = sql('ended_lists')`
select d.ord::int from unnest($1::uuid[], $2::int[], $3::int[]) with ordinality d (task_uuid, idx, attempt, ord)
 where not exists (
   select 1 from tasker.child_task c
    where c.parent_uuid = d.task_uuid and c.idx = d.idx and c.attempt = d.attempt and c.settled_at is null)`;

/** Returns the indexes of the waits whose children are all settled. Call it after lockTasks. */
export async function endedLists(db: Db, waits: readonly (StepKey & { attempt: number })[]): Promise<number[]> {
  if (waits.length === 0) return [];
  const { rows } = await db.query<{ ord: number }>(ENDED_LISTS, columns(waits, 'taskUuid', 'idx', 'attempt'));
  return rows.map(({ ord }) => ord - 1);
}

// Not hot: for an operator who asks why a task is not done; reads the children of one step.
const OPEN_OF_LIST = sql('open_of_list')`
select c.child_uuid id from tasker.wait w join tasker.child_task c on c.parent_uuid = w.task_uuid and c.idx = w.idx and c.attempt = w.attempt
 where w.task_uuid = $1 and w.idx = $2 and w.ended_at is null and c.settled_at is null order by c.child_uuid`;

/** Returns the children whose ends a step still waits for, oldest first. */
export async function openOfList(db: Db, { taskUuid, idx }: StepKey): Promise<string[]> {
  return (await db.query<{ id: string }>(OPEN_OF_LIST, [taskUuid, idx])).rows.map(({ id }) => id);
}

// Not hot: only after a child was rerun while its step waited for others; changes rows by their key.
const REOPEN_CHILDREN = sql('reopen_children')`
update tasker.child_task set settled_at = null where child_uuid = any ($1::uuid[])`;

/** Marks children as open again that were rerun while their step waits for others. Call it after lockTasks. */
export async function reopenChildren(db: Db, childUuids: readonly string[]): Promise<void> {
  await db.query(REOPEN_CHILDREN, [`{${childUuids.join(',')}}`]);
}

// The open wait of a step for its child `c`. `attempt` never repeats, so a step never waits again for a child that it no longer
// waits for.
const WAIT = `
  left join lateral (
    select x.idx from tasker.wait x
     where x.task_uuid = c.parent_uuid and x.idx = c.idx and x.attempt = c.attempt and x.ended_at is null offset 0) w on true`;

// The run of the step whose handler started a child `c`. A step that completed by itself leaves the children running that it
// did not wait for.
const RUN = `
  left join lateral (
    select x.state not in ('complete', 'resolved_manually', 'error', 'cancelled', 'skipped') lasts,
           x.state = 'complete' and c.attempt is distinct from x.attempts and exists (
             select 1 from tasker.history h
              where h.task_uuid = x.task_uuid and h.idx = x.idx and h.attempt = x.attempts and h.outcome = 'completed') leaves
      from tasker.step x
     where c.key is not null and x.task_uuid = c.parent_uuid and x.idx = c.idx and ${runOf('x')} = c.run offset 0) r on true`;

// The open wait for the undo of a child `c`.
const UNDO_WAIT = `
  left join lateral (
    select x.idx, x.since from tasker.wait x
     where x.task_uuid = c.parent_uuid and x.idx = c.undo_idx and x.attempt = c.undo_attempt and x.ended_at is null offset 0) u on true`;

const STATE_OF_CHILD = `
select c.child_uuid "childUuid", c.parent_uuid "parentUuid", coalesce(c.undo_idx, c.idx) idx,
       c.abandoned or coalesce(r.leaves, false) abandoned,
       t.done_at is not null ended, t.task_uuid is null gone, c.key is not null keyed, c.undo_attempt "undoAttempt",
       t.undo_at is not null undoing, t.state = 'undone' undone, t.undo_at >= u.since begun,
       case when c.undo_attempt is not null then u.idx is not null
            when c.key is null then w.idx is not null else coalesce(r.lasts, false) end awaited
  from c${RUN}
  left join lateral (
    select x.task_uuid, x.done_at, x.undo_at, x.state from tasker.task x where x.task_uuid = c.child_uuid offset 0) t on true${WAIT}${UNDO_WAIT}
 order by c.child_uuid`;

const OPEN_CHILDREN = sql('open_children')`
with c as (
  select * from tasker.child_task where settled_at is null and child_uuid > $1 order by child_uuid limit $2)${STATE_OF_CHILD}`;

const CHILDREN_AMONG = sql('children_among')`
with c as (
  select * from tasker.child_task where settled_at is null and child_uuid = any ($1::uuid[])
  union
  select * from tasker.child_task where settled_at is null and parent_uuid = any ($1::uuid[]))${STATE_OF_CHILD}`;

/** A child task that is not settled. */
export interface OpenChild extends Pick<NewChild, 'childUuid' | 'parentUuid' | 'idx' | 'abandoned'> {
  ended: boolean;
  /** The start of the step that undoes it, for which the row is open. Null before that. */
  undoAttempt: number | null;
  /** Whether it is being undone, or was, for whatever reason. */
  undoing: boolean | null;
  /** Whether it has ended in `undone`. */
  undone: boolean | null;
  /** Whether its undo has begun since the step waits for it. */
  begun: boolean | null;
  /** Whether the child no longer exists. */
  gone: boolean;
  /** Whether the handler of its step started it, with a key. */
  keyed: boolean;
  /** Whether its step waits for it, or the run of the step in which its handler started it has not ended. */
  awaited: boolean;
}

/** Returns a page of the children that are not settled, after an id and in the order of their ids. */
export async function openChildren(db: Db, after: string, limit: number): Promise<OpenChild[]> {
  return (await db.query<OpenChild>(OPEN_CHILDREN, [after, limit])).rows;
}

/** Returns the children among these tasks, and the children of these tasks, that are not settled. */
export async function childrenAmong(db: Db, taskUuids: readonly string[]): Promise<OpenChild[]> {
  return (await db.query<OpenChild>(CHILDREN_AMONG, [`{${taskUuids.join(',')}}`])).rows;
}

// The undo of a child may have been requested since its row was read. The rows are locked in one order.
const SETTLE_CHILDREN = sql('settle_children')`
with c as materialized (
  select x.child_uuid from unnest($1::uuid[], $2::int[]) d (child_uuid, undo_attempt)
    join tasker.child_task x on x.child_uuid = d.child_uuid
   where x.settled_at is null and x.undo_attempt is not distinct from d.undo_attempt
   order by x.child_uuid for update of x)
update tasker.child_task set settled_at = statement_timestamp() where child_uuid = any (array(select child_uuid from c))`;

/** Marks children whose end was delivered, or whose step no longer waits for them. */
export async function settleChildren(
  db: Db,
  children: readonly Pick<OpenChild, 'childUuid' | 'undoAttempt'>[],
): Promise<void> {
  if (children.length > 0) await db.query(SETTLE_CHILDREN, columns(children, 'childUuid', 'undoAttempt'));
}

// Not hot: once for each child task of a task that is undone. The rows are locked in one order.
const UNDO_CHILDREN = sql('undo_child_tasks')`
with c as materialized (
  select x.child_uuid, d.idx, d.attempt
    from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[]) d (child_uuid, parent_uuid, idx, attempt)
    join tasker.child_task x on x.child_uuid = d.child_uuid and x.parent_uuid = d.parent_uuid
   order by x.child_uuid for update of x)
update tasker.child_task x set undo_idx = c.idx, undo_attempt = c.attempt, settled_at = null
  from c where x.child_uuid = c.child_uuid
returning x.child_uuid "childUuid"`;

/**
 * Links child tasks to the steps that have begun to wait for their undo. Returns the ids of the children that still
 * exist. Call it in the transaction that begins the waits.
 */
export async function undoChildren(
  db: Db,
  steps: readonly (StepKey & { attempt: number; childUuid: string })[],
): Promise<Set<string>> {
  const values = columns(steps, 'childUuid', 'taskUuid', 'idx', 'attempt');
  return new Set((await db.query<{ childUuid: string }>(UNDO_CHILDREN, values)).rows.map(({ childUuid }) => childUuid));
}

const CHILDREN_OF_PARENT = sql('children_of_parent')`
select child_uuid id from tasker.child_task where parent_uuid = $1 order by child_uuid desc limit $2`;
const TASKS_BELOW_ROOT = sql('tasks_below_root')`
select child_uuid id from tasker.child_task where root_uuid = $1 order by child_uuid desc limit $2`;
/** Maximum number of child tasks that a search considers. */
export const MOST_SEARCHED = 10_000;

/**
 * Returns the ids of the children of a task, or of the tasks below a root task. Returns one more than {@link MOST_SEARCHED} if
 * there are more.
 */
export async function childrenBelow(db: Db, kind: 'parent' | 'root', taskUuid: string): Promise<string[]> {
  const statement = kind === 'parent' ? CHILDREN_OF_PARENT : TASKS_BELOW_ROOT;
  return (await db.query<{ id: string }>(statement, [taskUuid, MOST_SEARCHED + 1])).rows.map(({ id }) => id);
}

// The name of a step of the parent `p`, which may have been deleted.
const STEP_NAME = `
       coalesce(tasker.step_name((select b.name from tasker.batch_worker b where b.task_uuid = c.parent_uuid and b.idx = c.idx), ts.name, c.idx), '') step
  from c
  left join lateral (select x.template_id from tasker.task x where x.task_uuid = c.parent_uuid offset 0) p on true
  left join tasker.template_step ts on ts.template_id = p.template_id and ts.idx = tasker.template_idx(c.idx)`;

const CHILDREN_OF_TASK = sql('children_of_task')`
with c as (select * from tasker.child_task where parent_uuid = $1 order by child_uuid desc limit $2)
select c.child_uuid "taskUuid", c.key, w.idx is not null awaited,${STEP_NAME}${WAIT}
 order by c.child_uuid desc`;

/** A child of a task. */
export interface ChildRow {
  taskUuid: string;
  /** The step of the parent that started it. */
  step: string;
  /** The key with which the handler of the step started it. Null for a step of the type `task`. */
  key: string | null;
  /** Whether its step waits for it. */
  awaited: boolean;
}

/** Returns the newest children of a task. */
export async function childrenOfTask(db: Db, parentUuid: string, limit: number): Promise<ChildRow[]> {
  return (await db.query<ChildRow>(CHILDREN_OF_TASK, [parentUuid, limit])).rows;
}

const COUNT_OPEN_CHILDREN = sql('count_open_children')`
select count(*)::int open from (
  select 1 from tasker.child_task c
   cross join lateral (select 1 from tasker.task x where x.task_uuid = c.child_uuid and x.done_at is null offset 0) t
   where c.parent_uuid = $1) x`;

/** Returns how many children of a task have not ended. */
export async function countOpenChildren(db: Db, parentUuid: string): Promise<number> {
  return (await db.query<{ open: number }>(COUNT_OPEN_CHILDREN, [parentUuid])).rows[0]!.open;
}

const PARENT_OF_TASK = sql('parent_of_task')`
with c as (select * from tasker.child_task where child_uuid = $1)
select c.parent_uuid "taskUuid", c.root_uuid "rootUuid",${STEP_NAME}`;

/** The step that started a child task. */
export interface ParentRow {
  taskUuid: string;
  step: string;
  rootUuid: string;
}

/** Returns the parent of a task. Undefined if it has none. */
export async function parentOfTask(db: Db, childUuid: string): Promise<ParentRow | undefined> {
  return (await db.query<ParentRow>(PARENT_OF_TASK, [childUuid])).rows[0];
}

// Not hot: on request of an operator who deletes a task; looks up the task and its root by key.
const NEEDED_CHILD = sql('needed_child')`
select c.parent_uuid "parentUuid", c.root_uuid "rootUuid", c.settled_at is not null settled
  from tasker.child_task c where c.child_uuid = $1 and ${neededChild('c')}`;

/** Returns the condition under which a child `c` must not be deleted: its end is not delivered, or its root task is open. */
export function neededChild(c: string): string {
  return `(${c}.settled_at is null or exists (
    select 1 from tasker.task r where r.task_uuid = ${c}.root_uuid and r.done_at is null offset 0))`;
}

/** The tasks that still need a child. `settled`: whether its end was delivered. */
export interface NeededBy {
  parentUuid: string;
  rootUuid: string;
  settled: boolean;
}

/** Returns the tasks that still need a child. Undefined if none does, or the task has no parent. */
export async function neededBy(db: Db, childUuid: string): Promise<NeededBy | undefined> {
  return (await db.query<NeededBy>(NEEDED_CHILD, [childUuid])).rows[0];
}
