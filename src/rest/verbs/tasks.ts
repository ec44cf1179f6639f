import { taskTimeline } from '../../app/json/timeline.ts';
import type { RelatedTask, TaskFamily } from '../../app/operator-types.ts';
import { durationMs } from '../../app/schedules/duration.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { pageOf } from '../positions.ts';
import { filterOf } from '../task-filter.ts';
import type { BodiesOf } from '../verb-routes.ts';
import { eventPage } from './events.ts';

/** The parts of an export that need a permission of their own, as the verbs that return them do. */
const EXPORTED = (
  [
    ['results', 'steps:read'],
    ['events', 'events:read'],
    ['audit', 'audit:read'],
    ['payloads', 'tasks:context_read'],
  ] as const
).map(([part, permission]) => ({ part, permission, why: `the credential lacks the permission ${permission}` }));

/** The bodies of the verbs for tasks. */
export function taskVerbs(tasker: Tasker): BodiesOf<'tasks'> {
  const statusOf = async (uuid: string) => (await tasker.getTask(uuid)).status;
  return {
    context: ({ uuid }) => tasker.getTask(uuid),
    why: ({ uuid }) => tasker.why(uuid),
    async history({ uuid, step, ...page }) {
      const { items, ...cursors } = pageOf(await historyOf(tasker, uuid, step), page);
      return { entries: items, ...cursors };
    },
    async events({ uuid, ...page }) {
      await tasker.getTask(uuid);
      const { items, ...cursors } = await eventPage(tasker, { taskUuid: uuid }, page);
      return { events: items, ...cursors };
    },
    export: ({ uuid }, { caller }) =>
      tasker.exportTask(uuid, { omit: EXPORTED.filter(({ permission }) => !caller.allows(permission)) }),
    waits: async ({ uuid }) => ({ waits: await tasker.getWaits(uuid), nextCursor: null, previousCursor: null }),
    async timeline({ uuid }) {
      const [task, steps, history, waits, { graph }] = await Promise.all([
        tasker.getTask(uuid),
        tasker.getSteps(uuid),
        tasker.getHistory(uuid),
        tasker.getWaits(uuid),
        tasker.engine.snapshotOf(uuid),
      ]);
      return taskTimeline({ task, steps, history, waits, graph }, new Date().toISOString());
    },
    histogram: ({ by, buckets, since, ...query }, { caller }) =>
      tasker.taskHistogram(filterOf(query, caller), { by, buckets, since }),
    async retry({ uuid }, { operator }) {
      const steps = await tasker.retryTask(uuid, operator);
      return { taskUuid: uuid.toLowerCase(), steps, status: await statusOf(uuid) };
    },
    async resolve({ uuid }, { operator }) {
      const resolved = await tasker.resolveTask(uuid, operator);
      const status = await statusOf(uuid);
      if (!resolved && status !== 'resolved_manually') {
        throw new TaskerError('illegal_transition', `task ${uuid} cannot be resolved: it has ended in ${status}`);
      }
      return { taskUuid: uuid.toLowerCase(), resolved, status };
    },
    async copy({ uuid, context, idempotency_key: key }, { operator }) {
      const copy = await tasker.copyTask(uuid, {
        ...operator,
        ...(context !== undefined && { context }),
        ...(key !== undefined && { idempotencyKey: key }),
      });
      return { ...copy, copyOf: uuid.toLowerCase() };
    },
    pause: ({ uuid: task }, { operator }) => tasker.pause({ task }, operator),
    resume: ({ uuid: task }, { operator }) => tasker.resume({ task }, operator),
    async startNow({ uuid }, { operator }) {
      await tasker.startTaskNow(uuid, operator);
      return { taskUuid: uuid.toLowerCase(), started: true };
    },
    async reschedule({ uuid, at, in: span }, { operator }) {
      const startAt = await tasker.rescheduleTask(uuid, startOf(at, span), operator);
      return { taskUuid: uuid.toLowerCase(), startAt };
    },
    async delete({ uuid }, { operator }) {
      await tasker.deleteTask(uuid, operator);
      return { taskUuid: uuid.toLowerCase(), deleted: true };
    },
    async runs({ uuid }, { caller }) {
      const [runs, copies] = await Promise.all([tasker.getEarlierRuns(uuid), tasker.getCopies(uuid)]);
      const readable = caller.allows('tasks:context_read');
      return { earlierRuns: readable ? runs : runs.map((run) => ({ ...run, result: null })), copies };
    },
    async children({ uuid }, { caller: { namespaces } }) {
      const family = await tasker.getChildTasks(uuid);
      return namespaces ? visibleFamily(family, new Set(namespaces)) : family;
    },
  };
}

/** Leaves out the tasks in namespaces that the caller may not see. */
function visibleFamily(family: TaskFamily, namespaces: ReadonlySet<string>): TaskFamily {
  const isVisible = ({ namespace }: RelatedTask) => namespaces.has(namespace);
  const parent = family.parent && isVisible(family.parent) ? family.parent : null;
  const children = family.children.filter(isVisible);
  return {
    parent,
    // The namespace of another root is not known here.
    rootTaskUuid: parent?.taskUuid === family.rootTaskUuid ? family.rootTaskUuid : null,
    children,
    openChildren: children.filter(({ completedAt }) => completedAt === null).length,
  };
}

/** Returns the history of a task, or of one of its steps, which a rerun may have removed. */
async function historyOf(tasker: Tasker, uuid: string, step: string | undefined) {
  const all = await tasker.getHistory(uuid);
  if (step === undefined) return all;
  const name = all.some((entry) => entry.step === step) ? step : (await tasker.getStep(uuid, step)).name;
  return all.filter((entry) => entry.step === name);
}

function startOf(at: string | undefined, span: string | undefined): string | { delayMs: number } {
  if ((at === undefined) === (span === undefined)) {
    throw new TaskerError('bad_request', 'pass the new start as at (ISO 8601) or as in (such as 2h)');
  }
  if (at !== undefined) return at;
  const delayMs = durationMs(span);
  if (delayMs !== undefined) return { delayMs };
  throw new TaskerError(
    'bad_request',
    `in: ${JSON.stringify(span)} is not a duration; use 90s, 15m, 2h, 7d or P1DT12H`,
  );
}
