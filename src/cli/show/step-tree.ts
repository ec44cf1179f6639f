import pc from 'picocolors';
import type { Tasker } from '../../app/tasker.ts';
import { countsOf, type Folded, foldBatches, stateOfBatch, type TreeStep } from './fold-batches.ts';
import { painted, signOf, spanOf, widthOf } from './text.ts';
import type { Step, Task } from './views.ts';

/** The names of each step's parents, by the step's name. */
export type Parents = ReadonlyMap<string, readonly string[]>;

/** The graph of a task's template, as it was when the task was created: what the tree is drawn by. */
export async function parentsOf(tasker: Tasker, { taskUuid }: Pick<Task, 'taskUuid'>): Promise<Parents> {
  const { graph } = await tasker.engine.snapshotOf(taskUuid);
  return parentsIn(graph);
}

/** As {@link parentsOf}, of a graph. */
export function parentsIn(graph: { names: readonly string[]; parents: readonly (readonly number[])[] }): Parents {
  return new Map(graph.names.map((name, idx) => [name, graph.parents[idx]!.map((parent) => graph.names[parent]!)]));
}

/** A line of a tree: the branches in front of a name, and the parents that the branches do not show. */
export interface TreeLine {
  name: string;
  branches: string;
  otherParents: string[];
}

/**
 * Lays a graph out as a tree: each step once, below the last of its parents; an only child stands right under its
 * parent, so that long chains do not wander off to the right.
 */
export function treeOf(names: readonly string[], parents: Parents): TreeLine[] {
  const place = new Set(names);
  const below = new Map<string | undefined, string[]>();
  const parentsHere = (name: string) => (parents.get(name) ?? []).filter((parent) => place.has(parent));
  const homeOf = (name: string) => parentsHere(name).at(-1);
  for (const name of names) {
    const home = homeOf(name);
    const others = below.get(home);
    if (others) others.push(name);
    else below.set(home, [name]);
  }
  const lines: TreeLine[] = [];
  // A stack instead of recursion: a chain may have thousands of steps.
  const stack: { name: string; branches: string; indent: string }[] = [];
  const push = (home: string | undefined, indent: string) => {
    const children = below.get(home) ?? [];
    const alone = children.length === 1;
    for (const [i, name] of [...children.entries()].reverse()) {
      const last = i === children.length - 1;
      stack.push({
        name,
        branches: alone ? indent : `${indent}${last ? '└─ ' : '├─ '}`,
        indent: alone ? indent : `${indent}${last ? '   ' : '│  '}`,
      });
    }
  };
  push(undefined, '');
  for (let next = stack.pop(); next; next = stack.pop()) {
    const home = homeOf(next.name);
    const otherParents = parentsHere(next.name).filter((parent) => parent !== home);
    lines.push({ name: next.name, branches: next.branches, otherParents });
    push(next.name, next.indent);
  }
  return lines;
}

/** The steps of a task as a tree, a line each, with what is going on in them. `now`: milliseconds since 1970. */
export function stepTree(
  steps: readonly Step[],
  parents: Parents,
  { now, spinner }: { now: number; spinner?: string },
): string[] {
  const folded = foldBatches(
    steps.map((step) => ({ ...step, state: step.currentState })),
    parents,
  );
  return drawnTree(folded, {
    spinner,
    told: (step) => [painted(step.currentState), ...detailsOf(step, now)].join(pc.dim(' · ')),
    toldOfBatch: (workers) =>
      countsOf(workers)
        .map(([state, count]) => `${count} ${painted(state)}`)
        .join(pc.dim(' · ')),
  });
}

/** How the lines of a tree are written. */
interface Drawing<S extends TreeStep> {
  spinner?: string | undefined;
  /** What stands behind the name of a step. */
  told(step: S): string;
  /** What stands behind the name of a batch that is folded. */
  toldOfBatch(workers: readonly S[]): string;
}

/** Folded steps as a tree, a line each. */
export function drawnTree<S extends TreeStep>(folded: Folded<S>, { spinner, told, toldOfBatch }: Drawing<S>): string[] {
  const lines = treeOf(folded.names, folded.parents).map((line) => {
    const workers = folded.batches.get(line.name);
    return { ...line, workers, label: workers ? `${line.name} ×${workers.length}` : line.name };
  });
  const widthOfLine = (line: { branches: string; label: string }) => widthOf(line.branches) + widthOf(line.label);
  // Not spread into Math.max: there may be more lines than a call takes arguments.
  const width = lines.reduce((most, line) => Math.max(most, widthOfLine(line)), 0);
  return lines.map((line) => {
    const { name, label, branches, otherParents, workers } = line;
    const step = folded.steps.get(name);
    const state = workers ? stateOfBatch(workers) : step!.state;
    const sign = spinner && state === 'in_progress' ? painted('in_progress', spinner) : signOf(state);
    const gap = ' '.repeat(width - widthOfLine(line));
    const also = otherParents.length > 0 ? pc.dim(` (also after ${otherParents.join(', ')})`) : '';
    return `${pc.dim(branches)}${sign} ${label}${gap}  ${workers ? toldOfBatch(workers) : told(step!)}${also}`;
  });
}

/** Time, attempts and error of a step, as far as there are any. */
function detailsOf(step: Step, now: number): string[] {
  const details: string[] = [];
  const ms = step.results?.metadata.execution_time_ms;
  if (step.currentState === 'complete' && typeof ms === 'number') details.push(spanOf(ms));
  if (step.currentState === 'in_progress' && step.lastAttemptedAt)
    details.push(spanOf(now - Date.parse(step.lastAttemptedAt)));
  if (step.attempts > 1 || step.currentState === 'waiting_for_retry')
    details.push(`attempt ${step.attempts} of ${step.maxAttempts}`);
  if (step.nextRetryAt) details.push(`again in ${spanOf(Date.parse(step.nextRetryAt) - now)}`);
  const error = step.results?.error?.message.split('\n')[0];
  if (error && step.currentState !== 'complete') details.push(pc.red(error));
  return details;
}
