import type { Database } from '../db/database.ts';
import { getHistory } from '../store/tasks.ts';
import { type HistoryEntry, historyView, type Step } from './task-view.ts';

/** Whether an operator may have completed a step. The history says whether one did. */
function mayBeByHand({ currentState, completedAt, results }: Step): boolean {
  if (currentState !== 'complete' || !results?.success) return false;
  return results.metadata.worker_id === null || results.metadata.completed_at !== completedAt;
}

/** Adds the operator, the reason and the metadata to the results of steps that an operator completed or corrected. */
export async function withOperators(database: Database, taskUuid: string, steps: Step[]): Promise<Step[]> {
  if (!steps.some(mayBeByHand)) return steps;
  const last = new Map<string, HistoryEntry>();
  for (const entry of (await getHistory(database, taskUuid)).map(historyView)) {
    if (entry.step !== null) last.set(entry.step, entry);
  }
  return steps.map((step) => {
    const act = last.get(step.name);
    if (!mayBeByHand(step) || act?.kind !== 'operator' || act.what !== 'complete') return step;
    const results = step.results!;
    const by = { manually_completed: true, completed_by: act.who, completion_reason: act.why };
    const custom = { ...act.metadata, ...by };
    return { ...step, results: { ...results, metadata: { ...results.metadata, custom } } };
  });
}
