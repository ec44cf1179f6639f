import pc from 'picocolors';
import type { Tasker } from '../app/tasker.ts';
import { painted, signOf, spanOf } from './paint.ts';
import { widthOf } from './table.ts';
import type { Step, Task } from './views.ts';

/** The names of each step's parents, by the step's name. */
export type Parents = ReadonlyMap<string, readonly string[]>;

/** The graph of a task's template: what the tree is drawn by. */
export async function parentsOf(tasker: Tasker, { namespace, name, version }: Task): Promise<Parents> {
  const { graph } = await tasker.engine.templates.newest(namespace, name, version);
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
    below.set(home, [...(below.get(home) ?? []), name]);
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
  const byName = new Map(steps.map((step) => [step.name, step]));
  const lines = treeOf(
    steps.map((step) => step.name),
    parents,
  );
  const width = Math.max(0, ...lines.map(({ branches, name }) => widthOf(branches) + widthOf(name)));
  return lines.map(({ name, branches, otherParents }) => {
    const step = byName.get(name)!;
    const sign =
      spinner && step.currentState === 'in_progress' ? painted('in_progress', spinner) : signOf(step.currentState);
    const gap = ' '.repeat(width - widthOf(branches) - widthOf(name));
    const also = otherParents.length > 0 ? pc.dim(` (also after ${otherParents.join(', ')})`) : '';
    const told = [painted(step.currentState), ...detailsOf(step, now)].join(pc.dim(' · '));
    return `${pc.dim(branches)}${sign} ${name}${gap}  ${told}${also}`;
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
