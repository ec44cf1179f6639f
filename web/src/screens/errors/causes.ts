import type { FailureGroup } from '../../api/types.ts';

/** Failures with the same fingerprint: the error type and the pattern of the message. */
export interface Cause {
  key: string;
  title: string;
  errorType: string | null;
  count: number;
  lastAt: string;
  /** The affected steps of templates, most failures first. */
  groups: FailureGroup[];
}

/** Merges the groups of a summary, which are by step and version of a template. */
export function causesOf(groups: readonly FailureGroup[]): Cause[] {
  const found = new Map<string, Cause>();
  for (const group of groups) {
    const key = `${group.error_type} ${group.pattern ?? group.error}`;
    const cause = found.get(key);
    if (cause) {
      cause.count += group.count;
      cause.groups.push(group);
      if (group.last_at > cause.lastAt) cause.lastAt = group.last_at;
    } else {
      found.set(key, {
        key,
        title: group.pattern ?? group.error_type ?? 'an error without a message',
        errorType: group.error_type,
        count: group.count,
        lastAt: group.last_at,
        groups: [group],
      });
    }
  }
  return [...found.values()].sort((a, b) => b.count - a.count);
}

/** Returns the filter of a group as a query of the task list. */
export function queryOfGroup({ filter }: FailureGroup): Record<string, string> {
  return Object.fromEntries(
    Object.entries(filter).map(([name, value]) => [name === 'status' ? 'state' : name, String(value)]),
  );
}
