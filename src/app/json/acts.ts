import type { BulkAct } from '../../engine/bulk/bulk-act.ts';
import type { Approval, Pause, PauseResult, Schedule, SentSignal, Signal, TaskSignal } from '../operator-types.ts';
import type { DrainedWorker } from '../overview/drain.ts';
import type { WorkerDetails, WorkerInfo } from '../overview/workers.ts';
import { snakeKeys, type TaskRerun, type TaskUndo } from './views.ts';

type BulkPreview = Awaited<ReturnType<BulkAct['preview']>>;
type BulkReport = Awaited<ReturnType<BulkAct['result']>>;

/** Returns an approval as JSON. The form and the votes keep their own keys. */
export function approvalJson({ form, votes, ...approval }: Approval): Record<string, unknown> {
  return { ...snakeKeys(approval), form, votes };
}

/** Returns a schedule as JSON. */
export function scheduleJson(schedule: Schedule): Record<string, unknown> {
  return { ...snakeKeys(schedule), last: schedule.last.map(snakeKeys) };
}

/** Returns the receipts of a signal as JSON. */
export function sentJson({ tasks, ...sent }: SentSignal): Record<string, unknown> {
  return { ...snakeKeys(sent), tasks: tasks.map(snakeKeys) };
}

/** Returns a signal of a task as JSON. */
export function taskSignalJson({ payload, ...signal }: TaskSignal): Record<string, unknown> {
  return { ...snakeKeys(signal), payload };
}

/** Returns a signal with its outcome as JSON. */
export function signalJson({ payload, tasks, error, ...rest }: Signal): Record<string, unknown> {
  return { ...snakeKeys(rest), error, payload, tasks: tasks.map(snakeKeys) };
}

/** Returns the result of pausing or resuming as JSON. */
export function pauseJson({ pause, others, ...rest }: PauseResult): Record<string, unknown> {
  return {
    ...snakeKeys(rest),
    pause: pause && snakeKeys(pause),
    others: others.map((other: Pause) => snakeKeys(other)),
  };
}

/** Returns a worker as JSON. */
export function workerJson(worker: WorkerInfo | WorkerDetails): Record<string, unknown> {
  return {
    ...snakeKeys(worker),
    drain: worker.drain && snakeKeys(worker.drain),
    missing_handlers: worker.missingHandlers.map(snakeKeys),
    ...('steps' in worker && { steps: worker.steps.map(snakeKeys) }),
  };
}

/** Returns a worker that was asked to drain as JSON. */
export function drainedJson({ worker, changed, left }: DrainedWorker): Record<string, unknown> {
  return { ...workerJson(worker), changed, left_namespaces: left };
}

/** Returns the steps that a rerun covers as JSON. */
export function rerunJson(rerun: TaskRerun): Record<string, unknown> {
  return { ...snakeKeys(rerun), steps: rerun.steps.map(snakeKeys) };
}

/** Returns the undo of a task as JSON. */
export function undoJson(undo: TaskUndo): Record<string, unknown> {
  return { ...snakeKeys(undo), steps: undo.steps.map(snakeKeys) };
}

/** Returns a bulk action as JSON, with the items that were skipped or failed. */
export function bulkReportJson({ skipped, failed, ...report }: BulkReport): Record<string, unknown> {
  return { ...snakeKeys(report), skipped: skipped.map(snakeKeys), failed: failed.map(snakeKeys) };
}

/** Returns the preview of a bulk action as JSON, with the first tasks that it would act on. */
export function bulkPreviewJson({ id: _, sample, ...counts }: BulkPreview): Record<string, unknown> {
  return {
    ...snakeKeys(counts),
    dry_run: true,
    sample: sample.map((one) => ({ ...snakeKeys(one), steps: one.steps.map(snakeKeys) })),
  };
}
