import type { TaskSummary } from '../../api/types.ts';

export interface GraphEdge {
  from: string;
  to: string;
}

/** Returns the edges between the steps of a task, from its template. */
export function edgesOf(summary: TaskSummary | undefined): GraphEdge[] {
  return (summary?.template.steps ?? []).flatMap(({ name, dependencies }) =>
    dependencies.map((from) => ({ from, to: name })),
  );
}
