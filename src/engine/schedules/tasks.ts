import type { Db } from '../../db/statement.ts';
import { isTaskerError, messageOf } from '../../errors.ts';
import { type FiringCause, LATEST, SCHEDULE_SOURCE, type ScheduleSpec } from '../../model/schedule/spec.ts';
import { earliestMinutes } from '../../model/task-limits.ts';
import type { NewFiring, NewScheduledTask } from '../../store/schedules/firings.ts';
import { noteFirings, noteScheduledTasks } from '../../store/schedules/firings.ts';
import { findIdentities, type NewTask } from '../../store/tasks.ts';
import { versionsOf } from '../../store/templates.ts';
import { highestVersion } from '../../template/version-order.ts';
import { insertPortions, newTask, portionsOf, type TaskRequest } from '../create-task.ts';
import type { Snapshot, TemplateStore } from '../template-store.ts';

/** A template that was found, or the reason why it was not. */
export type FoundTemplate = Snapshot | { problem: string };

/** A due time that gets a task. */
export interface Firing {
  scheduleId: string;
  spec: ScheduleSpec;
  /** Distinguishes the task from all others of the schedule. */
  identity: string;
  dueMs: number;
  previousMs: number | null;
  cause: FiringCause;
  /** The cause of the trigger. */
  reason?: string | undefined;
  context?: Record<string, unknown> | undefined;
}

/** A due time that got a task, or the reason why it did not. */
export interface FiredTask {
  taskUuid: string | null;
  /** False if a task with its identity already existed. */
  fresh: boolean;
  rank: number;
  reason: string | null;
}

/** Returns the identity of the task for a due time. */
export function identityOf(dueMs: number): string {
  return new Date(dueMs).toISOString();
}

/** Returns the name of a template for messages and maps. */
export function templateKey({ template: { namespace, name, version } }: ScheduleSpec): string {
  return `${namespace}/${name}@${version}`;
}

/** Finds the template that a schedule names. `latest` is resolved now. */
export async function findTemplate(
  { database, templates }: { database: Db; templates: TemplateStore },
  { template: { namespace, name, version } }: ScheduleSpec,
): Promise<FoundTemplate> {
  try {
    const wanted = version === LATEST ? highestVersion(await versionsOf(database, namespace, name)) : version;
    if (wanted === undefined) {
      return { problem: `no version of template ${namespace}/${name} is registered; a worker registers its templates` };
    }
    return await templates.newest(namespace, name, wanted);
  } catch (error) {
    if (!isTaskerError(error) || error.code !== 'template_not_found') throw error;
    return { problem: messageOf(error) };
  }
}

/** Returns the task of a due time, or the reason why it cannot be created. */
export function taskOf(firing: Firing, snapshot: Snapshot): NewTask | { problem: string } {
  const { spec, scheduleId, identity } = firing;
  const { namespace, name, version } = snapshot.template;
  const request: TaskRequest = {
    namespace,
    name,
    version,
    context: firing.context ?? spec.context,
    idempotencyKey: `schedule ${scheduleId} ${identity}`,
    initiator: `schedule ${spec.name}`,
    sourceSystem: SCHEDULE_SOURCE,
    ...(firing.reason !== undefined && { reason: firing.reason }),
    ...(spec.tags.length > 0 && { tags: spec.tags }),
    ...(spec.priority !== null && { priority: spec.priority }),
  };
  try {
    return newTask(request, snapshot, 0);
  } catch (error) {
    if (!isTaskerError(error)) throw error;
    return { problem: messageOf(error) };
  }
}

/** Creates the tasks of due times, and stores their outcomes. Call it in the transaction that handles them. */
export async function createScheduled(
  tx: Db,
  firings: readonly Firing[],
  found: (firing: Firing) => FoundTemplate,
): Promise<FiredTask[]> {
  const made = firings.map((firing) => {
    const snapshot = found(firing);
    if ('problem' in snapshot) return snapshot;
    const task = taskOf(firing, snapshot);
    return 'problem' in task ? task : { task, snapshot };
  });
  const good = made.flatMap((one) => ('task' in one ? [one] : []));
  const watched = good.flatMap(({ task: { taskUuid }, snapshot: { limits } }) =>
    limits ? [{ taskUuid, minutes: earliestMinutes(limits) }] : [],
  );
  const tasks = good.map(({ task }) => task);
  const created = tasks.length > 0 ? await insertPortions(tx, portionsOf(tasks), watched) : new Set<string>();
  const standing =
    created.size < tasks.length
      ? await findIdentities(
          tx,
          tasks.map((task) => task.identityHash!),
        )
      : undefined;
  const fired = made.map((one): FiredTask => {
    if ('problem' in one) return { taskUuid: null, fresh: false, rank: 0, reason: one.problem };
    const { taskUuid, identityHash, rank } = one.task;
    if (created.has(taskUuid)) return { taskUuid, fresh: true, rank, reason: null };
    const earlier = standing?.get(identityHash!)?.taskUuid ?? null;
    return { taskUuid: earlier, fresh: false, rank, reason: 'the task already existed' };
  });
  await noteScheduledTasks(tx, scheduledTasks(firings, fired));
  await noteFirings(tx, outcomes(firings, fired));
  return fired;
}

function scheduledTasks(firings: readonly Firing[], fired: readonly FiredTask[]): NewScheduledTask[] {
  return firings.flatMap(({ scheduleId, spec, dueMs, previousMs, cause }, i) => {
    const { taskUuid, fresh } = fired[i]!;
    if (taskUuid === null || !fresh) return [];
    return [{ taskUuid, scheduleId, name: spec.name, dueMs, previousMs, cause, open: looksAtTasks(spec) }];
  });
}

/** Returns whether a schedule checks its earlier tasks before a due time. */
export function looksAtTasks({ overlap, onFailure }: ScheduleSpec): boolean {
  return overlap !== 'allow' || onFailure === 'pause';
}

function outcomes(firings: readonly Firing[], fired: readonly FiredTask[]): NewFiring[] {
  return firings.flatMap(({ scheduleId, dueMs, cause, reason: why }, i) => {
    const { taskUuid, fresh, reason } = fired[i]!;
    // A trigger that was repeated with the same key has no separate due time.
    if (cause === 'trigger' && !fresh) return [];
    const outcome = taskUuid === null ? 'failed' : 'created';
    return [{ scheduleId, dueMs, untilMs: null, cause, outcome, taskUuid, reason: reason ?? why ?? null }];
  });
}
