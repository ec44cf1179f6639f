import { stateOfBatch } from '../../app/json/batch-state.ts';
import type { Step, Task } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { shortWait } from '../../app/wait-words.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import { parentsWithLists, type TemplateGraph } from '../../template/template-graph.ts';
import { countsOf, type Folded, foldBatches, type TreeStep } from './fold-batches.ts';
import { counted, painted, signOf, spanOf, timeLeft, widthOf, wrapWords } from './text.ts';

/** The parents of each step, by name. */
export type Parents = ReadonlyMap<string, readonly string[]>;

/** Reads the graph of a task from the snapshot of its template. */
export async function parentsOf(tasker: Tasker, { taskUuid }: Pick<Task, 'taskUuid'>): Promise<Parents> {
  const { graph } = await tasker.engine.snapshotOf(taskUuid);
  return parentsIn(graph);
}

/** Like {@link parentsOf}, from a graph. */
export function parentsIn(graph: Pick<TemplateGraph, 'names' | 'parents' | 'elementOf'>): Parents {
  const parents = parentsWithLists(graph);
  return new Map(graph.names.map((name, idx) => [name, parents[idx]!.map((parent) => graph.names[parent]!)]));
}

/** A line of a tree: the branches before a name, and the parents that the branches do not show. */
export interface TreeLine {
  name: string;
  branches: string;
  otherParents: string[];
}

/**
 * Lays out a graph as a tree. Each step appears once, below the last of its parents. An only child is not indented, so that
 * long chains stay narrow.
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
  // Uses a stack instead of recursion, because a chain may have thousands of steps.
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

/** Returns the steps of a task and their states as a tree, one per line. `now`: milliseconds since 1970. */
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
    describe: (step) => [painted(step.currentState), ...detailsOf(step, now)].join(pc.dim(' · ')),
    describeBatch: (workers) =>
      countsOf(workers)
        .map(([state, count]) => `${count} ${painted(state)}`)
        .join(pc.dim(' · ')),
  });
}

/** Minimum number of columns for the strings next to a tree. */
const NARROWEST = 24;

/** Options for drawing the lines of a tree. */
interface Drawing<S extends TreeStep> {
  spinner?: string | undefined;
  /** Wraps the strings at this width, below their first line. Default: no wrapping. */
  columns?: number | undefined;
  /** Returns the text after the name of a step. */
  describe(step: S): string;
  /** Returns the text after the name of a folded batch. */
  describeBatch(workers: readonly S[]): string;
}

/** Returns folded steps as a tree, one per line. */
export function drawnTree<S extends TreeStep>(
  folded: Folded<S>,
  { spinner, columns, describe, describeBatch }: Drawing<S>,
): string[] {
  const lines = treeOf(folded.names, folded.parents).map((line) => {
    const workers = folded.batches.get(line.name);
    return { ...line, workers, label: workers ? `${line.name} ×${workers.length}` : line.name };
  });
  const widthOfLine = (line: { branches: string; label: string }) => widthOf(line.branches) + widthOf(line.label);
  // Avoids Math.max with a spread, because there may be more lines than a call can have arguments.
  const width = lines.reduce((most, line) => Math.max(most, widthOfLine(line)), 0);
  return lines.map((line) => {
    const { name, label, branches, otherParents, workers } = line;
    const step = folded.steps.get(name);
    const state = workers ? stateOfBatch(workers.map((worker) => worker.state)) : step!.state;
    const sign = spinner && state === 'in_progress' ? painted('in_progress', spinner) : signOf(state);
    const gap = ' '.repeat(width - widthOfLine(line));
    const also = otherParents.length > 0 ? pc.dim(` (also after ${otherParents.join(', ')})`) : '';
    const text = oneLine(`${workers ? describeBatch(workers) : describe(step!)}${also}`);
    const room = columns === undefined ? 0 : columns - width - 4;
    const wrapped = room < NARROWEST ? text : wrapWords(text, room).join(`\n${' '.repeat(width + 4)}`);
    return `${pc.dim(branches)}${sign} ${label}${gap}  ${wrapped}`;
  });
}

/** Returns the progress of a list in a few words. */
export function elementsOf({ total, completed, failed }: NonNullable<Step['elements']>): string {
  return `${completed} of ${counted(total, 'element')}${failed > 0 ? `, ${pc.red(`${failed} failed`)}` : ''}`;
}

/** Returns the duration, attempts and error of a step, if present. */
function detailsOf(step: Step, now: number): string[] {
  const details: string[] = [];
  const ms = step.results?.metadata.execution_time_ms;
  if (step.element?.key != null) details.push(pc.dim(step.element.key));
  if (step.elements) details.push(elementsOf(step.elements));
  if (step.currentState === 'complete' && typeof ms === 'number') details.push(spanOf(ms));
  if (step.currentState === 'in_progress' && step.lastAttemptedAt)
    details.push(spanOf(now - Date.parse(step.lastAttemptedAt)));
  if (step.attempts > 1 || step.currentState === 'waiting_for_retry')
    details.push(`attempt ${step.attempts} of ${step.maxAttempts}`);
  if (step.wait) details.push(shortWait(step.wait, now));
  if (step.nextRetryAt) details.push(`next attempt in ${timeLeft(Date.parse(step.nextRetryAt) - now)}`);
  const error = step.results?.error;
  if (error && step.currentState !== 'complete')
    details.push(pc.red([error.error_type, error.message.split('\n')[0]].filter((text) => text).join(': ')));
  return details;
}
