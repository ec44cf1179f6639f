import { inject, it, onTestFinished } from 'vitest';
import { type CreateTaskerOptions, createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';
import type { TaskTemplate } from '../../src/template/task-template.ts';
import { emptyDatabase, type Sql, type TestDatabase } from './database.ts';

/** A long test whose result does not depend on the server version. It runs only on the version that users get. */
export const itOnce = it.runIf(inject('postgres') === '18');

/** Creates a template from a short form: `{ a: [], b: ['a'] }`. The default handler of a step has the step's name. */
export function template(
  steps: Record<string, readonly string[] | Record<string, unknown>>,
  task: Record<string, unknown> = {},
): TaskTemplate {
  const list = Object.entries(steps).map(([name, step]) => ({
    name,
    handler: name,
    ...(Array.isArray(step) ? { dependencies: step } : (step as Record<string, unknown>)),
  }));
  return mustParseTemplate(
    JSON.stringify({
      name: 'demo',
      namespace: 'test',
      version: '1.0.0',
      identity_strategy: 'always_unique',
      ...task,
      steps: list,
    }),
  );
}

/** Retries without delay, for tests that are not about retries. */
export const RETRY_AT_ONCE = { backoff: 'none' };

/** A request for the template that {@link template} creates. */
export const DEMO = { namespace: 'test', name: 'demo', version: '1.0.0' } as const;

/**
 * Enough slots that a worker always runs the children that its recordings make ready. A concurrent claim, after a late
 * notification or a poll, also reserves up to 1,000 slots. With fewer free slots, the children go to the queue instead.
 */
export const TAKES_CHILDREN = { concurrency: 2_500 } as const;

/**
 * Adds the defaults of taskers in tests. `blockedLoopBoundMs: 0` starts no heartbeat thread, which costs as much CPU as
 * the rest of a short test. Workers with a short lease start the thread, because the process of a test may stall.
 * Workers in their own processes have the defaults of users.
 */
export function withTestDefaults(options: CreateTaskerOptions): CreateTaskerOptions {
  return { poolSize: 3, ...(options.leaseMs === undefined && { blockedLoopBoundMs: 0 }), ...options };
}

/** Creates a database and a tasker on it. Both are removed when the test ends. */
export async function setup(
  options: CreateTaskerOptions = {},
  create: () => Promise<TestDatabase> = emptyDatabase,
): Promise<{ tasker: Tasker; url: string; sql: Sql; another(more?: CreateTaskerOptions): Promise<Tasker> }> {
  const { url, sql, drop } = await create();
  const taskers: Tasker[] = [];
  onTestFinished(async () => {
    await Promise.all(taskers.map((tasker) => tasker.stop({ drainTimeoutMs: 100 })));
    await drop();
  });
  const another = async (more: CreateTaskerOptions = {}) => {
    const tasker = await createTasker(withTestDefaults({ databaseUrl: url, ...options, ...more }));
    taskers.push(tasker);
    return tasker;
  };
  return { tasker: await another(), url, sql, another };
}

/** Returns the states of a task's steps, by name. */
export async function states(tasker: Tasker, taskUuid: string): Promise<Record<string, string>> {
  return Object.fromEntries((await tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]));
}

/**
 * Waits for tasks, and returns their distinct final states. Waits for all tasks concurrently, because each task with a
 * lost notification takes another second until the poll.
 */
export async function endStates(tasker: Tasker, tasks: readonly { taskUuid: string }[]): Promise<string[]> {
  const ends = await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 45_000 })));
  return [...new Set(ends.map(({ status }) => status))];
}

/** A promise, and the functions that settle it. */
export function deferred<T = void>(): { promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Polls until a condition holds. Fails with the last value, before the default lease of 30 s has expired. */
export async function until<T>(read: () => Promise<T> | T, holds: (seen: T) => boolean, ms = 28_000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const seen = await read();
    if (holds(seen)) return seen;
    if (performance.now() > end)
      throw new Error(`the condition did not hold within ${ms} ms; last value: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

/** Makes every retry of the database due. */
export async function makeRetriesDue(sql: Sql): Promise<void> {
  await sql(`with step as (update tasker.step set next_at = now() where state = 'waiting_for_retry')
             update tasker.timer set due_at = now()`);
}

/**
 * The joins of all templates, with the steps that lead only to them: all from which no end of the graph can be reached
 * without the join.
 */
const JOINS = `recursive joins as (
  select m.id template_id, (j.place - 1)::int idx from tasker.template m
   cross join jsonb_array_elements(m.definition -> 'steps') with ordinality j (step, place)
   where m.routed and j.step ->> 'join' = 'any'),
arrows as (
  select e.template_id, e.parent, e.child from tasker.template_edge e join tasker.template m on m.id = e.template_id
   where e.template_id in (select template_id from joins)
     and m.definition #> array['steps', e.child::text, 'dependencies'] ? (m.definition #>> array['steps', e.parent::text, 'name'])),
escaping as (
  select j.template_id, j.idx join_idx, s.idx from joins j join tasker.template_step s on s.template_id = j.template_id
   where s.idx <> j.idx and not exists (select 1 from arrows a where a.template_id = s.template_id and a.parent = s.idx)
  union
  select e.template_id, e.join_idx, a.parent from escaping e join arrows a on a.template_id = e.template_id and a.child = e.idx
   where a.parent <> e.join_idx),
feeders as (
  select j.template_id, j.idx join_idx, s.idx from joins j join tasker.template_step s on s.template_id = j.template_id
   where s.idx <> j.idx and not exists (
     select 1 from escaping e where e.template_id = j.template_id and e.join_idx = j.idx and e.idx = s.idx))`;

/**
 * Whether the failure of a step of a task `t` is handled: a direct child that runs after failures is open or complete, or
 * the step leads only to a join that has the result of another step.
 */
const isHandled = (step: string) => `(${step}.state = 'error' and (exists (
  select 1 from tasker.template m
    join tasker.template_edge he on he.template_id = m.id and he.parent = tasker.template_idx(${step}.idx)
    join tasker.step hc on hc.task_uuid = ${step}.task_uuid and hc.idx = he.child
   where m.id = t.template_id and m.routed and m.definition #>> array['steps', he.child::text, 'run_if'] in ('failed', 'ended')
     and m.definition #> array['steps', he.child::text, 'dependencies'] ? (m.definition #>> array['steps', he.parent::text, 'name'])
     and hc.state not in ('skipped', 'error', 'cancelled'))
  or exists (
  select 1 from feeders f join tasker.step j on j.task_uuid = ${step}.task_uuid and j.idx = f.join_idx and j.state not in ('pending', 'cancelled')
   where f.template_id = t.template_id and f.idx = tasker.template_idx(${step}.idx) and exists (
     select 1 from (
       select p.state, p.rerun = j.rerun covered, bool_or(p.rerun = j.rerun) over () some_covered
         from arrows a join tasker.step p on p.task_uuid = j.task_uuid and p.idx = a.parent
        where a.template_id = t.template_id and a.child = j.idx) p
      where p.state in ('complete', 'resolved_manually') and (p.covered or p.some_covered is not true)))))`;

/** Whether a step runs for an element of a list `f`. */
const isOfElement = (step: string) =>
  `f.task_uuid = ${step}.task_uuid and tasker.template_idx(${step}.idx) >= f.first_step and tasker.template_idx(${step}.idx) < f.first_step + f.n_steps and ${step}.idx >= 131072`;

/**
 * Whether the failure of a step of an element does not block its task: of a list that continues or has ended, or with a step of
 * the element that runs after it.
 */
const isToleratedInList = (step: string) => `(${step}.state = 'error' and exists (
  select 1 from tasker.for_each f join tasker.step l on l.task_uuid = f.task_uuid and l.idx = f.idx
    join tasker.template m on m.id = t.template_id
    join tasker.template_step own on own.template_id = m.id and own.idx = tasker.template_idx(${step}.idx)
   where ${isOfElement(step)} and (f.on_failure <> 'block' or l.state <> 'pending' or exists (
     select 1 from jsonb_array_elements(m.definition #> array['steps', f.idx::text, 'steps']) with ordinality r (step, place)
       join tasker.step hc on hc.task_uuid = ${step}.task_uuid
        and hc.idx = ((f.first_step + r.place) << 17) | (${step}.idx & 131071)
      where r.step ->> 'run_if' in ('failed', 'ended') and r.step -> 'dependencies' ? own.name
        and hc.state not in ('skipped', 'error', 'cancelled')))))`;

/** How many parents the counter of a step shows: a join only shows whether it waits. */
const shown = (parents: string) =>
  `case when exists (select 1 from joins j where j.template_id = t.template_id and j.idx = s.idx) then least(${parents}, 1) else ${parents} end`;

/**
 * Checks the invariants of a database at rest: correct counters, a reason for every waiting step, no lost queue row.
 */
export async function invariants(sql: Sql): Promise<void> {
  const wrong = await sql(`
    with ${JOINS}
    select t.task_uuid, t.state::text, t.n_open, t.n_active, t.n_retry, t.n_error, t.n_wait, c.*
      from tasker.task t cross join lateral (
        select count(*) filter (where s.state not in ('complete', 'cancelled', 'resolved_manually', 'skipped') and not tolerated)::int open,
               count(*) filter (where s.state in ('enqueued', 'in_progress'))::int active,
               count(*) filter (where s.state = 'waiting_for_retry')::int retry,
               count(*) filter (where s.state = 'error' and not tolerated)::int error,
               count(*) filter (where s.state = 'waiting')::int + (
                 select count(*) from tasker.wait w where w.task_uuid = t.task_uuid and w.idx = -1 and w.ended_at is null)::int waits,
               (count(*) filter (where (s.state = 'waiting') <> exists (
                 select 1 from tasker.wait w where w.task_uuid = s.task_uuid and w.idx = s.idx and w.ended_at is null)))::int misfiled,
               count(*) filter (where s.state = 'enqueued' and not exists (
                 select 1 from tasker.queue q where q.task_uuid = s.task_uuid and q.idx = s.idx))::int unqueued,
               count(*) filter (where s.state = 'waiting_for_retry' and not exists (
                 select 1 from tasker.timer q where q.task_uuid = s.task_uuid and q.idx = s.idx))::int untimed,
               count(*) filter (where s.state = 'pending' and not exists (select 1 from tasker.for_each f where ${isOfElement('s')})
                 and s.remaining & 1048575 <> (select count(*) from tasker.for_each f where f.task_uuid = s.task_uuid and f.idx = s.idx) + ${shown(`(
                 select count(*) from tasker.template_edge e join tasker.step p on p.task_uuid = s.task_uuid and p.idx = e.parent
                  where e.template_id = t.template_id and e.child = tasker.template_idx(s.idx) and p.state not in ('complete', 'resolved_manually', 'skipped') and not ${isHandled('p')}) + (
                 select count(*) from tasker.template_edge e join tasker.batch b on b.task_uuid = s.task_uuid and b.worker_idx = e.parent
                   join tasker.step p on p.task_uuid = s.task_uuid and tasker.template_idx(p.idx) = b.worker_idx and p.idx >= 131072
                  where e.template_id = t.template_id and e.child = tasker.template_idx(s.idx)
                    and not (p.state in ('complete', 'resolved_manually', 'cancelled', 'skipped') or (p.state = 'error' and b.failure_strategy <> 'fail_fast') or ${isHandled('p')}))`)})::int miscounted,
               (select count(*) from tasker.batch b where b.task_uuid = t.task_uuid and t.done_at is null and (b.n_active > b.parallelism or b.n_active <> (
                 select count(*) from tasker.step p where p.task_uuid = b.task_uuid and p.idx >= 131072
                    and tasker.template_idx(p.idx) = b.worker_idx and p.state in ('enqueued', 'in_progress', 'waiting_for_retry', 'waiting'))))::int overfull,
               count(*) filter (where s.state = 'complete' and s.attempts > 0 and not exists (
                 select 1 from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx) and not exists (
                 select 1 from tasker.operator_action a where a.task_uuid = s.task_uuid and a.idx = s.idx))::int unproven
          from tasker.step s cross join lateral (
            select ${isToleratedInList('s')} or (s.state = 'error' and exists (
              select 1 from tasker.batch b where s.idx >= 131072 and b.task_uuid = s.task_uuid
                 and b.worker_idx = tasker.template_idx(s.idx) and b.failure_strategy <> 'fail_fast')) or ${isHandled('s')} tolerated) x
         where s.task_uuid = t.task_uuid) c
     where (t.state = 'waiting_for_dependencies' and t.n_wait = 0) or t.n_wait <> c.waits or c.misfiled > 0 or t.n_open <> c.open or t.n_active <> c.active or t.n_retry <> c.retry
        or t.n_error <> c.error or c.unqueued > 0 or c.untimed > 0 or c.miscounted <> 0 or c.unproven > 0 or c.overfull > 0`);
  if (wrong.length > 0)
    throw new Error(`${wrong.length} tasks break an invariant: ${JSON.stringify(wrong.slice(0, 3))}`);
  const unlinked = await sql(`
    select w.task_uuid, w.idx, w.attempt from tasker.wait w
     where w.kind = 'task' and w.ended_at is null and not exists (
       select 1 from tasker.child_task c
        where c.parent_uuid = w.task_uuid and c.settled_at is null
          and ((c.idx, c.attempt) = (w.idx, w.attempt) and c.undo_attempt is null or (c.undo_idx, c.undo_attempt) = (w.idx, w.attempt))
          and c.child_uuid = (w.settings ->> 'task_uuid')::uuid)`);
  const lists = await sql(`
    select w.task_uuid, w.idx, w.attempt from tasker.wait w
     where w.kind = 'tasks' and w.ended_at is null and not exists (
       select 1 from tasker.child_task c
        where c.parent_uuid = w.task_uuid and c.idx = w.idx and c.attempt = w.attempt and c.settled_at is null)`);
  unlinked.push(...lists);
  if (unlinked.length > 0)
    throw new Error(`${unlinked.length} waits have no child task: ${JSON.stringify(unlinked.slice(0, 3))}`);
  const misplaced = await sql(`
    select q.*, m.paused, abs(m.queue_id) home from tasker.queue q join tasker.template m on m.id = q.template_id
      join tasker.template_step s on s.template_id = m.id and s.idx = tasker.template_idx(q.idx)
     where not case when m.paused or exists (
             select 1 from tasker.pause p where p.task_uuid = q.task_uuid and p.resumed_at is null)
             then q.namespace_id = -abs(m.queue_id)
             else q.namespace_id = abs(m.queue_id) or q.namespace_id = -abs(m.queue_id) - 536870912 and exists (
               select 1 from tasker.missing_handler h
                where h.namespace_id = m.namespace_id and h.callable = s.callable and h.state = 'withheld') end`);
  const miscountedLists = await sql(`
    select f.*, c.* from tasker.for_each f join tasker.task t using (task_uuid)
      join tasker.step l on l.task_uuid = f.task_uuid and l.idx = f.idx
     cross join lateral (
       select count(*)::int rows, count(distinct s.idx & 131071)::int elements,
              count(distinct s.idx & 131071) filter (where s.state in ('enqueued', 'in_progress', 'waiting_for_retry', 'waiting'))::int active
         from tasker.step s where ${isOfElement('s')}) c
     where c.rows <> f.started * f.n_steps or c.elements <> f.started
        or (l.state = 'pending' and t.verdict is null and (
              f.completed + f.failed + cardinality(f.open) <> f.started or c.active <> cardinality(f.open)
              or f.failed <> (select count(*) from tasker.failed_element e where e.task_uuid = f.task_uuid and e.idx = f.idx)))`);
  if (miscountedLists.length > 0)
    throw new Error(`${miscountedLists.length} lists are wrong: ${JSON.stringify(miscountedLists.slice(0, 3))}`);
  if (misplaced.length > 0)
    throw new Error(`${misplaced.length} rows of the queue are misplaced: ${JSON.stringify(misplaced.slice(0, 3))}`);
}

/**
 * Repeats an action every 20 ms until it is stopped. `stop` waits for the last action, and throws the error of a failed
 * one.
 */
export function repeat(act: () => Promise<unknown>): { stop(): Promise<void> } {
  let stopped = false;
  const loop = async () => {
    while (!stopped) {
      await act();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const done = loop();
  done.catch(() => undefined);
  return {
    stop: () => {
      stopped = true;
      return done;
    },
  };
}
