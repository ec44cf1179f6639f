import { isWorkerIndex, templateIndex, workerIndex } from './ids.ts';
import { type BatchNow, type Consequences, consequencesOf, type RouteGraph, type StepNow } from './routes.ts';

/** Maximum number of elements of a list. */
export const MOST_ELEMENTS = 100_000;
/** Number of elements in a stored page. */
export const ELEMENTS_IN_PAGE = 256;

/** The part of a template's graph that decides about the steps of elements. */
export interface ElementGraph extends RouteGraph {
  /** The steps that run for each element, with the step that has the list. */
  elementOf: ReadonlyMap<number, number>;
}

/** The list of a step of the type `for_each`, as it is stored. */
export interface ListNow {
  /** The step that has the list. */
  idx: number;
  total: number;
  parallelism: number;
  onFailure: 'block' | 'continue' | 'stop';
  /** The elements from this one on have no steps yet. */
  started: number;
  /** The elements that have started and not ended. */
  open: readonly number[];
  completed: number;
  failed: number;
  /** The element whose failure stopped the others. */
  stoppedBy: number | null;
  /** Number of open steps of failed elements. */
  failedOpen: number;
  /** Number of failures that block the task, of failed elements. */
  failedBlocking: number;
}

/** A failed element. */
export interface FailedElement {
  element: number;
  /** Number of its steps that have not ended. */
  open: number;
  /** Number of its steps in `error` that block the task. */
  blocking: number;
}

/** A step of an element that starts. */
export interface StartingStep {
  idx: number;
  state: 'enqueued' | 'pending';
  remaining: number;
}

/** The consequences of the states of the steps of a list's open elements. */
export interface ListDecided {
  list: ListNow;
  changes: Consequences['changes'];
  /** Open steps that end, because their element has failed or the list is stopped. */
  stopped: number[];
  failed: FailedElement[];
  starting: StartingStep[];
  /** Number of steps that have not ended, of all elements. */
  open: number;
  /** Number of steps in `error` that block the task, of all elements. */
  blocking: number;
}

/** Returns the number of the element that a step runs for. */
export function elementNumber(idx: number): number {
  return idx - workerIndex(templateIndex(idx), 0);
}

/** Returns the name of a step of an element. */
export function elementStepName(step: string, element: number): string {
  return `${step}[${element}]`;
}

/** Returns the step and the element of a name such as `label[3]`. Undefined for other names. */
export function readElementName(name: string): { step: string; element: number } | undefined {
  const found = /^(.+)\[(0|[1-9]\d{0,5})\]$/s.exec(name);
  return found ? { step: found[1]!, element: Number(found[2]) } : undefined;
}

/** Returns the place of a step that another one reads: within the same element, if both belong to one. */
export function placeFor({ elementOf }: Pick<ElementGraph, 'elementOf'>, reader: number, step: number): number {
  return elementOf.has(step) && isWorkerIndex(reader) ? workerIndex(step, elementNumber(reader)) : step;
}

/** Returns whether every element has ended, so that the step that has the list can end. */
export function isListOver({ total, started, open, failed, onFailure, stoppedBy }: ListNow): boolean {
  if (stoppedBy !== null) return true;
  return started === total && open.length === 0 && (onFailure !== 'block' || failed === 0);
}

const ACTIVE: ReadonlySet<string> = new Set(['enqueued', 'in_progress', 'waiting_for_retry', 'waiting']);
const OPEN: ReadonlySet<string> = new Set([...ACTIVE, 'pending']);

/**
 * Decides the steps of a list's open elements, and which elements start. `steps`: the steps of the open elements. `rerun`:
 * the number of the task's rerun, for the steps that start.
 */
export function decideList(graph: ElementGraph, stored: ListNow, steps: readonly StepNow[]): ListDecided {
  const own = elementGraph(graph, stored.idx);
  const byElement = new Map<number, StepNow[]>(stored.open.map((element) => [element, []]));
  for (const step of steps) byElement.get(elementNumber(step.idx))?.push(step);
  const found: ListDecided = { list: stored, changes: [], stopped: [], failed: [], starting: [], open: 0, blocking: 0 };
  const open: number[] = [];
  let { completed, stoppedBy } = stored;
  for (const [element, rows] of byElement) {
    const decided = consequencesOf(own, rows, own.untolerant);
    found.changes.push(...decided.changes);
    found.stopped.push(...decided.stopped);
    const ended = endOfElement(rows, decided);
    if (ended === 'complete') completed++;
    else if (ended === 'failed') {
      found.failed.push({ element, open: decided.open, blocking: decided.blocking });
      if (stored.onFailure === 'stop') stoppedBy ??= element;
    } else open.push(element);
    if (ended === undefined) {
      found.open += decided.open;
      found.blocking += decided.blocking;
      if (stored.onFailure === 'stop' && decided.blocking > 0) stoppedBy ??= element;
    }
  }
  if (stoppedBy !== null) return stopList(stored, { completed, stoppedBy, byElement, found });
  if (stored.onFailure === 'continue') settleFailed(byElement, found);
  const failedOpen = stored.failedOpen + sum(found.failed, 'open');
  const failedBlocking = stored.failedBlocking + sum(found.failed, 'blocking');
  const next = Math.min(stored.total, stored.started + Math.max(0, stored.parallelism - open.length));
  for (let element = stored.started; element < next; element++) {
    open.push(element);
    found.starting.push(...startOf(own, element));
  }
  found.open += failedOpen + found.starting.length;
  found.blocking += failedBlocking;
  const failed = stored.failed + found.failed.length;
  found.list = { ...stored, started: next, open, completed, failed, failedOpen, failedBlocking };
  return found;
}

const sum = (failed: readonly FailedElement[], of: 'open' | 'blocking') =>
  failed.reduce((total, element) => total + element[of], 0);

/** Returns how an element has ended. Undefined while one of its steps runs or waits. */
function endOfElement(rows: readonly StepNow[], { changes, open }: Consequences): 'complete' | 'failed' | undefined {
  if (open === 0) return 'complete';
  if (changes.some(({ state }) => state === 'enqueued')) return undefined;
  return rows.some(({ state }) => ACTIVE.has(state)) ? undefined : 'failed';
}

/** Ends the steps of failed elements that can no longer run. Their failures do not block the task. */
function settleFailed(byElement: ReadonlyMap<number, readonly StepNow[]>, found: ListDecided): void {
  for (const failed of found.failed) {
    found.stopped.push(...openIn(byElement.get(failed.element)!));
    Object.assign(failed, { open: 0, blocking: 0 });
  }
  dropChangesOfStopped(found);
}

function openIn(rows: readonly StepNow[]): number[] {
  return rows.flatMap(({ idx, state }) => (OPEN.has(state) ? [idx] : []));
}

function dropChangesOfStopped(found: ListDecided): void {
  const stopped = new Set(found.stopped);
  found.changes = found.changes.filter(({ idx }) => !stopped.has(idx));
}

/** Ends all steps of a list, because one of its elements has failed. */
function stopList(
  stored: ListNow,
  {
    completed,
    stoppedBy,
    byElement,
    found,
  }: { completed: number; stoppedBy: number; byElement: ReadonlyMap<number, readonly StepNow[]>; found: ListDecided },
): ListDecided {
  found.stopped = [...new Set([...found.stopped, ...[...byElement.values()].flatMap(openIn)])];
  dropChangesOfStopped(found);
  const failed = new Map(found.failed.map(({ element }) => [element, { element, open: 0, blocking: 0 }]));
  failed.set(stoppedBy, { element: stoppedBy, open: 0, blocking: 0 });
  const list = { ...stored, completed, stoppedBy, open: [], failed: stored.failed + failed.size };
  return { ...found, list, failed: [...failed.values()], open: 0, blocking: 0 };
}

/** Returns the end of a list whose step nothing needs any more: the open steps of its elements end, too. */
export function abandonList(stored: ListNow, steps: readonly StepNow[]): ListDecided {
  const list = { ...stored, open: [], failedOpen: 0, failedBlocking: 0 };
  return { list, changes: [], stopped: openIn(steps), failed: [], starting: [], open: 0, blocking: 0 };
}

interface OwnGraph extends RouteGraph {
  steps: readonly number[];
  /** Makes failures of the steps block: only those of batch workers may be tolerated. */
  untolerant: ReadonlyMap<number, BatchNow>;
}

const graphs = new WeakMap<ElementGraph, Map<number, OwnGraph>>();

/** Returns the part of a graph that the steps of one element form. */
function elementGraph(graph: ElementGraph, list: number): OwnGraph {
  const known = graphs.get(graph) ?? new Map<number, OwnGraph>();
  graphs.set(graph, known);
  let own = known.get(list);
  if (!own) {
    const order = graph.order.filter((step) => graph.elementOf.get(step) === list);
    const joins = new Map([...graph.joins].filter(([step]) => graph.elementOf.get(step) === list));
    const blocks = { failureStrategy: 'fail_fast', nextIdx: Number.POSITIVE_INFINITY };
    own = { ...graph, order, joins, steps: order, untolerant: new Map(order.map((step) => [step, blocks])) };
    known.set(list, own);
  }
  return own;
}

/** Returns the steps of an element that starts. */
function startOf(own: OwnGraph, element: number): StartingStep[] {
  const rows = own.steps.map((step) => ({
    idx: workerIndex(step, element),
    state: 'pending',
    // No step waits for so many others, so each one changes.
    remaining: -1,
    rerun: 0,
  }));
  const { changes } = consequencesOf(own, rows, own.untolerant);
  return changes.map(({ idx, state, remaining }) => {
    if (state === 'skipped') throw new Error(`step ${idx} of a new element is skipped`);
    return { idx, state, remaining };
  });
}

/**
 * Returns the failures of elements that do not block the task: their list does not block or has ended, or a step after them
 * handles them.
 */
export function handledInLists(graph: ElementGraph, lists: readonly ListNow[], steps: readonly StepNow[]): Set<number> {
  const handled = new Set<number>();
  for (const list of lists) {
    const rows = steps.filter(({ idx }) => isWorkerIndex(idx) && graph.elementOf.get(templateIndex(idx)) === list.idx);
    const byElement = new Map<number, StepNow[]>();
    for (const row of rows) {
      const element = elementNumber(row.idx);
      const own = byElement.get(element);
      if (own) own.push(row);
      else byElement.set(element, [row]);
    }
    const isOver = steps.find(({ idx }) => idx === list.idx)?.state !== 'pending' || list.onFailure !== 'block';
    for (const own of byElement.values()) {
      if (!own.some(({ state }) => state === 'error')) continue;
      const found = consequencesOf(elementGraph(graph, list.idx), own, elementGraph(graph, list.idx).untolerant);
      for (const { idx, state } of own) if (state === 'error' && (isOver || found.handled.has(idx))) handled.add(idx);
    }
  }
  return handled;
}
