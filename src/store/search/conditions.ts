import { grouped } from '../../model/grouped.ts';

/** The time by which tasks are sorted. */
export type SearchSort = 'created' | 'ended' | 'updated';

/** The conditions that a step of the task must meet. */
export interface StepCondition {
  /** The name of a step in its template. */
  name: string | null;
  /** The callable of a step in its template. */
  handler: string | null;
  /** The template steps with this name and handler. Null means any. */
  places: readonly TemplatePlace[] | null;
  state: string | null;
  errorType: string | null;
  /** A part of the first line of the error; case is ignored. */
  error: string | null;
  /** Workers that run the step, or made its last attempt. */
  workerIds: readonly number[] | null;
}

/** A condition that every step meets. */
export const ANY_STEP: StepCondition = {
  name: null,
  handler: null,
  places: null,
  state: null,
  errorType: null,
  error: null,
  workerIds: null,
};

/** A step of a template. */
export interface TemplatePlace {
  templateId: number;
  idx: number;
  /** Whether every task of the template has the step from the beginning. */
  initial: boolean;
}

/** The conditions on the tasks to find. Null means any. */
export interface TaskSearch {
  /** The templates that the filter selects, or all existing templates if it names none. */
  templateIds: readonly number[];
  /** Whether the filter names no template, so that `templateIds` need not be checked. */
  anyTemplate: boolean;
  states: readonly string[] | null;
  ended: boolean | null;
  stale: boolean;
  taskUuids: readonly string[] | null;
  tags: readonly string[] | null;
  initiator: string | null;
  sourceSystem: string | null;
  reason: string | null;
  correlationId: string | null;
  parentCorrelationId: string | null;
  /** ISO 8601 or a timestamp of the database, as text. */
  createdAfter: string | null;
  createdBefore: string | null;
  endedAfter: string | null;
  endedBefore: string | null;
  updatedAfter: string | null;
  updatedBefore: string | null;
  /** JSON text that the context contains. */
  context: string | null;
  step: StepCondition | null;
}

/** The states of a task that has not ended, in the tables. */
export const OPEN_STATES: readonly string[] = [
  'steps_in_process',
  'waiting_for_retry',
  'waiting',
  'blocked_by_failures',
  'waiting_for_dependencies',
  'pending',
  'undoing',
];
/** Steps in these states have rows in `step_search`; others are looked up task by task. */
export const SEARCHED_STATES: readonly string[] = [
  'enqueued',
  'in_progress',
  'waiting',
  'waiting_for_retry',
  'error',
  'resolved_manually',
];
/** The searched states in which a step can have an error. */
export const FAILED_STATES: readonly string[] = ['waiting_for_retry', 'error'];
/** States in the search tables in which a step can have a worker. */
export const WORKED_STATES: readonly string[] = ['in_progress', 'waiting_for_retry', 'error'];

/** Only open tasks have steps in these states, because the end of a task ends its steps. */
const OF_OPEN_TASKS: readonly string[] = ['pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'waiting'];

/** Returns whether only open tasks can meet the condition. */
export const isOfOpenTask = (step: StepCondition | null): boolean => OF_OPEN_TASKS.includes(step?.state ?? '');

/** Collects the values of a statement that is built for one search. */
export class Values {
  readonly list: unknown[] = [];

  /** Adds a value, and returns its placeholder in the text of the statement. */
  add(value: unknown, type: string): string {
    this.list.push(value);
    return `$${this.list.length}::${type}`;
  }

  /** Adds an array of ids or state names, which need no quotes. */
  words(list: readonly string[], type: string): string {
    return this.add(`{${list.join(',')}}`, type);
  }

  numbers(list: readonly number[], type: string): string {
    return this.add(`{${list.join(',')}}`, type);
  }
}

/** A condition, which adds its values to the statement when its text is built. */
export type Condition = () => string;

/**
 * Returns the conditions on a row `p` of `task_search`, by their subject. `oneByOne`: they are checked for only a few
 * rows, so a join with all steps would cost more.
 */
export function taskConditions(
  search: TaskSearch,
  values: Values,
  { oneByOne = false }: { oneByOne?: boolean } = {},
): Map<string, Condition> {
  const found = new Map<string, Condition>();
  const equal = (column: string, value: string | null, type = 'text') => {
    if (value !== null) found.set(column, () => `p.${column} = ${values.add(value, type)}`);
  };
  const range = (column: string, after: string | null, before: string | null) => {
    if (after !== null || before !== null) found.set(column, () => rangeText(column, after, before, values));
  };
  const { templateIds, states, ended, taskUuids, tags, correlationId, context, step } = search;
  if (!search.anyTemplate) {
    found.set('template_id', () => `p.template_id = any (${values.numbers(templateIds, 'int[]')})`);
  }
  if (states) found.set('state', () => `p.state = any (${values.words(states, 'tasker.task_state[]')})`);
  if (ended !== null) found.set('ended', () => `p.done_at is ${ended ? 'not null' : 'null'}`);
  if (taskUuids) found.set('task_uuid', () => `p.task_uuid = any (${values.words(taskUuids, 'uuid[]')})`);
  if (tags) found.set('tags', () => `p.tags @> ${values.add(tags, 'text[]')}`);
  equal('initiator', search.initiator);
  equal('source_system', search.sourceSystem);
  equal('reason', search.reason);
  equal('parent_correlation_id', search.parentCorrelationId, 'uuid');
  if (correlationId !== null) {
    // A task without a correlation id is correlated by its own id.
    found.set('correlation_id', () => {
      const id = values.add(correlationId, 'uuid');
      return `(p.correlation_id = ${id} or (p.task_uuid = ${id} and p.correlation_id is null))`;
    });
  }
  range('created_at', search.createdAfter, search.createdBefore);
  range('done_at', search.endedAfter, search.endedBefore);
  const { updatedAfter, updatedBefore } = search;
  if (updatedAfter !== null || updatedBefore !== null) {
    // Ended tasks are in one index, and open tasks in another.
    found.set('updated_at', () => {
      const [ended, open] = ['done_at', 'updated_at'].map((at) => rangeText(at, updatedAfter, updatedBefore, values));
      return `(${ended} or (p.done_at is null and ${open}))`;
    });
  }
  if (search.stale) found.set('stale', () => STALE);
  if (context !== null) {
    found.set(
      'context',
      () =>
        `exists (select 1 from tasker.task t where t.task_uuid = p.task_uuid and t.context @> ${values.add(context, 'jsonb')} offset 0)`,
    );
  }
  if (step && !isMetByTemplate(step)) found.set('step', () => stepCondition(step, values, { templateIds, oneByOne }));
  return found;
}

/** Returns the condition that a time of a row `p` is in a range. */
export function rangeText(column: string, after: string | null, before: string | null, values: Values): string {
  const ends = [];
  if (after !== null) ends.push(`p.${column} >= ${values.add(after, 'timestamptz')}`);
  if (before !== null) ends.push(`p.${column} < ${values.add(before, 'timestamptz')}`);
  return ends.join(' and ');
}

const STALE = 'exists (select 1 from tasker.task_watch w where w.task_uuid = p.task_uuid and w.rule is not null)';

/** Returns whether every task of these templates has the step. */
function isMetByTemplate(step: StepCondition): boolean {
  return !searchedStates(step) && step.state === null && (step.places?.every((place) => place.initial) ?? false);
}

/**
 * Returns the states of `step_search` in which a step can meet the condition. Undefined if steps in other states can
 * meet it too.
 */
export function searchedStates(step: StepCondition): readonly string[] | undefined {
  if (step.state !== null) return SEARCHED_STATES.includes(step.state) ? [step.state] : undefined;
  if (step.errorType !== null || step.error !== null) return FAILED_STATES;
  return step.workerIds ? WORKED_STATES : undefined;
}

/** Returns the conditions on a row `q` of `step_search`, except on its template and place. */
export function stepConditions(step: StepCondition, values: Values): string[] {
  const found: string[] = [];
  if (step.errorType !== null) found.push(`q.error_type = ${values.add(step.errorType, 'text')}`);
  if (step.error !== null) found.push(`strpos(lower(q.error), lower(${values.add(step.error, 'text')})) > 0`);
  if (step.workerIds) found.push(`q.worker_id = any (${values.numbers(step.workerIds, 'bigint[]')})`);
  return found;
}

/**
 * Number of indexes reserved for the batch workers of each template step. The first one follows the indexes of the
 * template's steps.
 */
const STEPS_OF_BATCH = 131_072;

/** A template, and the first and last index of the wanted steps. */
export type StepRange = readonly [templateId: number, least: number, most: number];

/**
 * Returns the template and index ranges of the steps to read. The range of a template step is its own index. If the step
 * is not `initial`, it may be a template for batch workers, so their indexes are included.
 */
export function stepRanges({ templateIds, step }: TaskSearch): StepRange[] {
  if (!step?.places) return templateIds.map((id) => [id, 0, 2_147_483_647]);
  return step.places.flatMap(({ templateId, idx, initial }): StepRange[] => {
    const own: StepRange = [templateId, idx, idx];
    return initial ? [own] : [own, [templateId, (idx + 1) * STEPS_OF_BATCH, (idx + 2) * STEPS_OF_BATCH - 1]];
  });
}

/** Returns whether no task can have more than one step that matches the name and handler. */
export function isOneStep({ places }: StepCondition): boolean {
  if (!places?.every((place) => place.initial)) return false;
  return new Set(places.map((place) => place.templateId)).size === places.length;
}

/** Returns the ranges as a function for `from`, with three columns. */
export function rangesText(ranges: readonly StepRange[], values: Values): string {
  const columns = [0, 1, 2].map((i) =>
    values.numbers(
      ranges.map((range) => range[i]!),
      'int[]',
    ),
  );
  return `unnest(${columns.join(', ')})`;
}

/** Maximum number of templates that an index is searched for. */
const MOST_TEMPLATES = 500;

/** Returns the condition that makes the indexes of steps usable, because they begin with the template. */
export function ofTemplates(templateIds: readonly number[], values: Values): string[] {
  if (templateIds.length > MOST_TEMPLATES) return [];
  return [`q.template_id = any (${values.numbers(templateIds, 'int[]')})`];
}

/** Maximum number of indexes of a step, in different templates, that are compared one by one. */
const MOST_INDEXES = 8;

/** Returns the conditions on the name and the handler of a step `q` in one of the templates. */
export function nameConditions(
  { name, handler, places }: StepCondition,
  template: string,
  templateIds: readonly number[],
  values: Values,
): string[] {
  if (name === null && handler === null) return [];
  // A step usually has the same index in most templates. Comparing indexes is much faster than looking up the template.
  const byIndex = grouped(places ?? [], (place) => place.idx);
  if (places && byIndex.size <= MOST_INDEXES) {
    const either = [...byIndex].map(([idx, of]) => {
      const first = (idx + 1) * STEPS_OF_BATCH;
      const found = `(q.idx = ${idx} or q.idx between ${first} and ${first + STEPS_OF_BATCH - 1})`;
      if (of.length === templateIds.length) return found;
      const ids = of.map((place) => place.templateId);
      return `(${template} = any (${values.numbers(ids, 'int[]')}) and ${found})`;
    });
    return [`(${either.join(' or ') || 'false'})`];
  }
  const found = [`d.template_id = ${template}`, 'd.idx = tasker.template_idx(q.idx)'];
  if (name !== null) found.push(`d.name = ${values.add(name, 'text')}`);
  if (handler !== null) found.push(`d.callable = ${values.add(handler, 'text')}`);
  return [`exists (select 1 from tasker.template_step d where ${found.join(' and ')})`];
}

function stepCondition(
  step: StepCondition,
  values: Values,
  { templateIds, oneByOne }: { templateIds: readonly number[]; oneByOne: boolean },
): string {
  const states = searchedStates(step);
  const found = ['q.task_uuid = p.task_uuid'];
  found.push(...nameConditions(step, 'p.template_id', templateIds, values));
  if (states) {
    found.push(`q.state = any (${values.words(states, 'tasker.step_state[]')})`);
    found.push(...stepConditions(step, values));
    if (!oneByOne) found.push(...ofTemplates(templateIds, values));
    return `exists (select 1 from tasker.step_search q where ${found.join(' and ')} ${oneByOne ? 'offset 0' : ''})`;
  }
  if (step.state !== null) found.push(`q.state = ${values.add(step.state, 'tasker.step_state')}`);
  return `exists (select 1 from tasker.step q where ${found.join(' and ')} offset 0)`;
}
