import type { SnapshotName } from '../../store/search/search-facts.ts';
import type { StepGroupRow } from '../../store/search/summarize.ts';
import type { TaskFilter } from './filter.ts';

/** The fields that identify a group of failures. */
export type GroupKey = Pick<
  StepGroupRow,
  'state' | 'namespace' | 'name' | 'version' | 'step' | 'errorType' | 'pattern'
>;

/** The other groups of a summary, and its filter. */
interface GroupContext {
  /** The filter of the summary, which the group narrows. */
  filter: TaskFilter;
  /** The snapshots of the database. */
  names: readonly SnapshotName[];
  /** All groups of the same state that were found. */
  rows: readonly GroupKey[];
}

/**
 * Returns the filter that finds the tasks of a group. The filter has only the conditions that distinguish the group
 * from the others.
 */
export function filterOfGroup(group: GroupKey, { filter, names, rows }: GroupContext): TaskFilter {
  const { state, namespace, name, version, step, errorType } = group;
  const versions = names.filter((other) => other.namespace === namespace && other.name === name);
  const error = filter.error ?? errorOf(group, rows);
  return {
    ...filter,
    namespace,
    name,
    ...(versions.some((other) => other.version !== version) && { templateVersion: version }),
    ...(filter.ended !== true && filter.status === undefined && filter.endedAfter === undefined && { open: true }),
    step,
    stepState: state,
    ...(errorType !== null && { errorType }),
    ...(error !== undefined && { error }),
  };
}

/**
 * Returns a string that occurs in the errors of a group, but in no error of the other groups with the same conditions.
 */
function errorOf(group: GroupKey, rows: readonly GroupKey[]): string | undefined {
  const { namespace, name, version, step, errorType, pattern } = group;
  const others = rows.filter(
    (row) =>
      row !== group &&
      row.namespace === namespace &&
      row.name === name &&
      row.version === version &&
      row.step === step &&
      (errorType === null || row.errorType === errorType) &&
      row.pattern !== pattern,
  );
  if (others.length === 0 || pattern === null) return undefined;
  const parts = pattern
    .split('*')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .sort((a, b) => b.length - a.length);
  const isOwn = (part: string) => !others.some((other) => other.pattern?.toLowerCase().includes(part.toLowerCase()));
  return parts.find(isOwn) ?? parts[0];
}
