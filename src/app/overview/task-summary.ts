import type { Engine } from '../../engine/engine.ts';
import type { TaskFilter } from '../../engine/search/filter.ts';
import {
  type FailureGroup,
  type StateCounts,
  type StepGroups,
  type SummaryOptions,
  summarize,
  type TemplateCounts,
} from '../../engine/search/summary.ts';
import { missingHandlers } from '../../store/missing-handlers.ts';
import { type UnservedGroup, unservedSteps } from './unserved.ts';
import { WithheldHandlers } from './withheld-handlers.ts';

export type { FailureGroup, StateCounts, StepGroups, SummaryOptions, TemplateCounts, UnservedGroup };

/** The number of tasks in each state, and the causes that block or delay tasks. */
export interface TaskSummary {
  /** The tasks by version of their template. Templates with the most blocked tasks come first. */
  templates: TemplateCounts[];
  /** Totals of all templates. */
  states: StateCounts;
  /** Open tasks that were created before this time are not counted. Null if all are counted. */
  openSince: string | null;
  /** Tasks that ended before this time are not counted. Null if all are counted. */
  endedSince: string | null;
  /** Steps in `error`. */
  failed: StepGroups<FailureGroup>;
  /** Steps whose next attempt is due later. */
  waitingForRetry: StepGroups<FailureGroup>;
  /** Ready steps that no live worker can run. */
  unserved: StepGroups<UnservedGroup>;
  /** Changes younger than this, in milliseconds, may be missing. */
  lagMs: number;
}

/** Summarizes the tasks that a filter finds. @throws TaskerError `bad_request`, `invalid_uuid` */
export async function summarizeTasks(
  engine: Engine,
  filter: TaskFilter,
  options: SummaryOptions = {},
): Promise<TaskSummary> {
  const [{ ready, ...facts }, workers, missing] = await Promise.all([
    summarize(engine.database, filter, options),
    engine.listWorkers(),
    missingHandlers(engine.database),
  ]);
  const all = unservedSteps(ready ?? [], workers, new WithheldHandlers(missing));
  const groups = all.slice(0, options.groups ?? 100);
  const unserved = {
    steps: all.reduce((sum, { count }) => sum + count, 0),
    groups: groups.map((group) => ({ ...group, filter: { ...filter, ...group.filter } })),
    moreGroups: all.length - groups.length,
    timedOut: ready === null,
  };
  const { failed, waitingForRetry, lagMs, ...counts } = facts;
  return { ...counts, failed, waitingForRetry, unserved, lagMs };
}
