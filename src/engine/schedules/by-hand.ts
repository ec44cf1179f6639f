import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { uuidV7 } from '../../model/ids.ts';
import { dueAfter, dueBefore } from '../../model/schedule/due-times.ts';
import { timingOf } from '../../model/schedule/spec.ts';
import { noteAct } from '../../store/audit.ts';
import { firedBetween } from '../../store/schedules/firings.ts';
import { clockMs } from '../../store/schedules/schedules.ts';
import { type OperatorOptions, operatorOf } from '../operator-actions.ts';
import type { TemplateStore } from '../template-store.ts';
import { instantMs } from '../waits/start-time.ts';
import { onLocked } from './manage.ts';
import { createScheduled, type FiredTask, type Firing, findTemplate, identityOf } from './tasks.ts';
import { findSchedule } from './view.ts';

interface Parts {
  database: Database;
  templates: TemplateStore;
}

/** How {@link triggerSchedule} creates a task. */
export interface TriggerOptions extends OperatorOptions {
  /** The context of this task. Default: the context of the schedule. */
  context?: Record<string, unknown>;
  /** Calls with the same key create one task. Default: each call creates one. */
  idempotencyKey?: string;
}

/**
 * Creates a task of a schedule now, regardless of the schedule's overlap setting. @throws TaskerError
 * `schedule_not_found`, `template_not_found`, `invalid_context`
 */
export async function triggerSchedule(parts: Parts, name: string, options: TriggerOptions): Promise<FiredTask> {
  const operator = operatorOf(options);
  const { context, idempotencyKey = uuidV7(), reason } = options;
  const { spec } = await findSchedule(parts.database, name);
  const template = await findTemplate(parts, spec);
  if ('problem' in template) throw new TaskerError('template_not_found', template.problem);
  return onLocked(parts.database, name, async (tx, row) => {
    const firing: Firing = {
      scheduleId: row.id,
      spec: row.spec,
      identity: `trigger ${idempotencyKey}`,
      dueMs: row.nowMs,
      previousMs: row.passedMs,
      cause: 'trigger',
      reason,
      context,
    };
    const [fired] = await createScheduled(tx, [firing], () => template);
    if (fired!.taskUuid === null) throw new TaskerError('bad_request', `schedule ${name}: ${fired!.reason}`);
    const act = {
      action: 'schedule_trigger' as const,
      taskUuid: fired!.taskUuid,
      target: `schedule ${name}`,
      toState: 'pending',
    };
    if (fired!.fresh) await noteAct(tx, act, operator);
    return fired!;
  });
}

/** The past due times to create tasks for. */
export interface BackfillOptions extends OperatorOptions {
  /** ISO 8601 with a zone, or a date. Inclusive. */
  from: string | Date;
  /** ISO 8601 with a zone, or a date. Inclusive, at most now. */
  to: string | Date;
  /** Only lists the due times. */
  dryRun?: boolean;
}

/** The outcome of a backfill for a due time, or the planned one. */
export interface BackfilledDue {
  dueAt: string;
  /** `exists`: the due time already has a task. `planned`: a task would be created. */
  outcome: 'created' | 'exists' | 'planned' | 'failed';
  taskUuid: string | null;
  reason: string | null;
}

/** Maximum number of due times of one backfill. */
const MOST_DUES = 10_000;
const DUES_AT_ONCE = 100;

/** A backfill in progress: due times with their outcomes, and the tasks that were created. */
export interface BackfillPortion {
  dues: BackfilledDue[];
  taskUuids: string[];
  rank: number;
}

/**
 * Creates tasks for the due times of a schedule between two times, regardless of the schedule's overlap setting. A due
 * time that has a task is unchanged.
 * @throws TaskerError `schedule_not_found`, `bad_request`
 */
export async function* backfillSchedule(
  parts: Parts,
  name: string,
  options: BackfillOptions,
): AsyncGenerator<BackfillPortion> {
  const operator = operatorOf(options);
  const { database } = parts;
  const row = await findSchedule(database, name);
  const { fromMs, toMs } = await rangeOf(database, options);
  const timing = timingOf(row.spec, row.anchorMs);
  const dues: number[] = [];
  for (let due = dueAfter(timing, fromMs - 1); due !== null && due <= toMs; due = dueAfter(timing, due)) {
    if (dues.length === MOST_DUES) {
      throw new TaskerError(
        'bad_request',
        `schedule ${name} has more than ${MOST_DUES} due times in this range; choose a shorter range`,
      );
    }
    dues.push(due);
  }
  if (dues.length === 0) return;
  const template = await findTemplate(parts, row.spec);
  let previousMs = dueBefore(
    timing,
    dues[0]!,
    timing.startMs ?? Math.min(timing.anchorMs, dues[0]! - 400 * 86_400_000),
  );
  if (!options.dryRun) {
    const details = JSON.stringify({
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      due_times: dues.length,
    });
    await noteAct(database, { action: 'schedule_backfill', target: `schedule ${name}`, details }, operator);
  }
  for (let at = 0; at < dues.length; at += DUES_AT_ONCE) {
    const some = dues.slice(at, at + DUES_AT_ONCE);
    const before = previousMs;
    previousMs = some.at(-1)!;
    if (options.dryRun) {
      yield {
        dues: planned(some, await firedBetween(database, row.id, some[0]!, some.at(-1)!)),
        taskUuids: [],
        rank: 0,
      };
      continue;
    }
    yield await onLocked(database, name, async (tx, { id, spec }) => {
      const existing = await firedBetween(tx, id, some[0]!, some.at(-1)!);
      const firings = some.flatMap((dueMs, i): Firing[] => {
        if (existing.has(dueMs)) return [];
        const previous = i === 0 ? before : some[i - 1]!;
        return [
          {
            scheduleId: id,
            spec,
            identity: identityOf(dueMs),
            dueMs,
            previousMs: previous,
            cause: 'backfill',
            reason: options.reason,
          },
        ];
      });
      const fired = await createScheduled(tx, firings, () => template);
      return portionOf(some, { existing, firings, fired });
    });
  }
}

function planned(dues: readonly number[], existing: ReadonlyMap<number, string>): BackfilledDue[] {
  return dues.map((ms) => {
    const taskUuid = existing.get(ms) ?? null;
    return { dueAt: identityOf(ms), outcome: taskUuid === null ? 'planned' : 'exists', taskUuid, reason: null };
  });
}

function portionOf(
  dues: readonly number[],
  of: { existing: ReadonlyMap<number, string>; firings: readonly Firing[]; fired: readonly FiredTask[] },
): BackfillPortion {
  const byDue = new Map(of.firings.map(({ dueMs }, i) => [dueMs, of.fired[i]!]));
  const fresh = of.fired.filter((one) => one.fresh);
  return {
    dues: dues.map((ms): BackfilledDue => {
      const one = byDue.get(ms);
      const dueAt = identityOf(ms);
      if (!one) return { dueAt, outcome: 'exists', taskUuid: of.existing.get(ms)!, reason: null };
      const outcome = one.taskUuid === null ? 'failed' : one.fresh ? 'created' : 'exists';
      return { dueAt, outcome, taskUuid: one.taskUuid, reason: one.reason };
    }),
    taskUuids: fresh.map((one) => one.taskUuid!),
    rank: Math.min(0, ...fresh.map((one) => one.rank)),
  };
}

async function rangeOf(database: Database, { from, to }: BackfillOptions): Promise<{ fromMs: number; toMs: number }> {
  const fromMs = instantMs(from, 'from');
  const toMs = instantMs(to, 'to');
  if (toMs < fromMs) throw new TaskerError('bad_request', 'to must not be before from');
  const nowMs = await clockMs(database);
  if (toMs > nowMs) {
    throw new TaskerError(
      'bad_request',
      `to is after now (${new Date(nowMs).toISOString()}); a backfill covers past due times only`,
    );
  }
  return { fromMs, toMs };
}
