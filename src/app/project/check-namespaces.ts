import type { TaskTemplate } from '../../template/task-template.ts';

/** A warning for a worker that serves none of the namespaces of its own templates. */
export function uncoveredTemplates(served: readonly string[], templates: readonly TaskTemplate[]): string | undefined {
  const theirs = [...new Set(templates.map(({ namespace }) => namespace))].sort();
  if (theirs.length === 0 || theirs.some((namespace) => served.includes(namespace))) return undefined;
  const [mine, others] = [served.join(', '), theirs.join(', ')];
  return `this worker serves the namespace ${mine}, but its templates are in ${others}: it runs none of their steps; serve ${others}, or leave out the namespace`;
}
