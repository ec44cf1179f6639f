import { elementStepName, readElementName } from '../../model/for-each.ts';

/** A batch with more workers than this, and a step with more elements, is folded into one line. */
const SHOWN = 5;

/** The part of a step that a tree needs. */
export interface TreeStep {
  name: string;
  /** The step of the template. Differs from `name` for batch workers and the steps of elements. */
  templateStepName: string;
  /** The state of the step. */
  state: string;
}

/** The lines of a step tree. */
export interface Folded<S extends TreeStep> {
  /** The lines in order: names of steps, or the template step name of a folded batch. */
  names: string[];
  /** The names of each line's parents. */
  parents: Map<string, readonly string[]>;
  /** Steps by name. */
  steps: Map<string, S>;
  /** The workers of folded batches, by template step name. */
  batches: Map<string, S[]>;
}

/**
 * Puts batch workers and the steps of elements into the graph of their template, in place of the step from which they were
 * created. If there are many of one step, they are folded into one line, with the first failed ones below it.
 */
export function foldBatches<S extends TreeStep>(
  steps: readonly S[],
  parents: ReadonlyMap<string, readonly string[]>,
): Folded<S> {
  const folded: Folded<S> = { names: [], parents: new Map(), steps: new Map(), batches: new Map() };
  const workers = new Map<string, S[]>();
  for (const step of steps) {
    if (step.name === step.templateStepName) continue;
    const others = workers.get(step.templateStepName);
    if (others) others.push(step);
    else workers.set(step.templateStepName, [step]);
  }
  /** Returns the lines that represent a step of the template, for a step that waits for it: of its element, if it has one. */
  const linesOf = (name: string, reader: S) => {
    const made = workers.get(name);
    if (!made || made.length > SHOWN) return [name];
    const element = readElementName(reader.name)?.element;
    const own = element === undefined ? undefined : made.find((one) => one.name === elementStepName(name, element));
    return own ? [own.name] : made.map((worker) => worker.name);
  };
  const add = (name: string, above: readonly string[]) => {
    folded.names.push(name);
    folded.parents.set(name, above);
  };
  for (const step of steps) {
    const above = (parents.get(step.templateStepName) ?? []).flatMap((parent) => linesOf(parent, step));
    const batch = workers.get(step.templateStepName) ?? [];
    if (batch.length <= SHOWN) {
      folded.steps.set(step.name, step);
      add(step.name, above);
    } else if (!folded.batches.has(step.templateStepName)) {
      folded.batches.set(step.templateStepName, batch);
      add(step.templateStepName, above);
      for (const failed of batch.filter(({ state }) => state === 'error').slice(0, SHOWN)) {
        folded.steps.set(failed.name, failed);
        add(failed.name, [step.templateStepName]);
      }
    }
  }
  return folded;
}

/** Counts the workers of a batch by state. Active states come first. */
export function countsOf(workers: readonly TreeStep[]): [state: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { state } of workers) counts.set(state, (counts.get(state) ?? 0) + 1);
  const order = ['in_progress', 'enqueued', 'waiting_for_retry', 'waiting', 'pending', 'error', 'cancelled', 'skipped'];
  const place = (state: string) => (order.includes(state) ? order.indexOf(state) : order.length);
  return [...counts].sort(([one], [other]) => place(one) - place(other));
}
