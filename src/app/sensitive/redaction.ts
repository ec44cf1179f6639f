import type { AuditEntry } from '../../engine/audit.ts';
import type { Engine } from '../../engine/engine.ts';
import type { EventEnvelope } from '../../engine/events/envelope.ts';
import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import type { TaskFilter } from '../../engine/search/filter.ts';
import {
  pathsOfSignal,
  pathsOfStep,
  type SensitiveTemplateRow,
  type SensitiveValues,
  sensitiveOfTasks,
  templatesWithSensitive,
} from '../../engine/sensitive.ts';
import type { Step } from '../../engine/task-view.ts';
import type { TaskSnapshot } from '../../engine/task-with-steps.ts';
import type { Approval, Vote } from '../../engine/waits/approval-view.ts';
import { isFields } from '../../model/json.ts';
import {
  HIDDEN,
  hideAt,
  hideInCondition,
  refuseCondition,
  type SensitivePaths,
  sensitivePaths,
} from '../../model/sensitive.ts';
import { Together } from '../../time/together.ts';

const LOOKUPS = { most: 50, calls: 2 };

type Found = ReadonlyMap<string, SensitiveValues | undefined>;

/**
 * Hides the values that templates declare as sensitive in the return values of a tasker. Never modifies its arguments.
 */
export class Redaction {
  readonly #engine: Engine;
  /** The instruction in errors for showing the values. */
  readonly #way: string;
  /** Requests that arrive at the same time share a lookup. */
  readonly #lookups: Together<string[], Found>;

  constructor(engine: Engine, way: string) {
    this.#engine = engine;
    this.#way = way;
    this.#lookups = new Together(async (asked) => {
      const answer = await sensitiveOfTasks(engine, asked.flat());
      return asked.map(() => ({ answer }));
    }, LOOKUPS);
  }

  async #of(items: readonly { taskUuid: string }[]): Promise<Found> {
    const ids = [...new Set(items.map(({ taskUuid }) => taskUuid))];
    if (ids.length === 0) return new Map();
    return this.#lookups.ask(ids);
  }

  /** Returns whether the template of a task declares values as sensitive. */
  async hidesIn(task: { taskUuid: string }): Promise<boolean> {
    return (await this.#of([task])).get(task.taskUuid) !== undefined;
  }

  async tasks<T extends { taskUuid: string; context: Record<string, unknown> }>(tasks: readonly T[]): Promise<T[]> {
    const found = await this.#of(tasks);
    return tasks.map((task) => taskWithout(task, found));
  }

  async task<T extends { taskUuid: string; context: Record<string, unknown> }>(task: T): Promise<T> {
    return (await this.tasks([task]))[0]!;
  }

  async steps(steps: readonly Step[]): Promise<Step[]> {
    const found = await this.#of(steps);
    return steps.map((step) => stepWithout(step, found));
  }

  async snapshot({ task, steps }: TaskSnapshot): Promise<TaskSnapshot> {
    const found = await this.#of([task]);
    return { task: taskWithout(task, found), steps: steps.map((step) => stepWithout(step, found)) };
  }

  /** Hides values in a field that contains the result of the item's step. */
  async results<Key extends string, T extends { step: string | null } & { [key in Key]: unknown }>(
    given: string,
    items: readonly T[],
    key: Key,
  ): Promise<T[]> {
    const taskUuid = given.toLowerCase();
    const sensitive = (await this.#of([{ taskUuid }])).get(taskUuid);
    return items.map((item) => ({ ...item, [key]: hideAt(item[key], pathsOfStep(sensitive, item.step ?? '')) }));
  }

  async signals<T extends { name: string; payload: unknown }>(
    signals: readonly T[],
    tasksOf: (signal: T) => readonly string[],
  ): Promise<T[]> {
    const found = await this.#of(signals.flatMap(tasksOf).map((taskUuid) => ({ taskUuid })));
    // A signal without a task was rejected, or its tasks were deleted.
    const unknown = signals.some((signal) => tasksOf(signal).length === 0) ? await this.#of([NO_TASK]) : undefined;
    return signals.map((signal) => {
      const tasks = tasksOf(signal);
      const all = tasks.length > 0 ? tasks.map((id) => found.get(id)) : [unknown?.get(NO_TASK.taskUuid)];
      const hide = (payload: unknown, one: SensitiveValues | undefined) =>
        hideAt(payload, pathsOfSignal(one, signal.name));
      return { ...signal, payload: all.reduce(hide, signal.payload) };
    });
  }

  async approvals(approvals: readonly Approval[]): Promise<Approval[]> {
    const found = await this.#of(approvals);
    return approvals.map((approval) => {
      const paths = pathsOfStep(found.get(approval.taskUuid), approval.step);
      return paths ? { ...approval, votes: approval.votes.map((vote) => voteWithout(vote, paths)) } : approval;
    });
  }

  async events<T extends LoggedEvent>(events: readonly T[]): Promise<T[]> {
    const found = await this.#of(events);
    return events.map((event) => {
      const paths = pathsOfStep(found.get(event.taskUuid), event.stepName);
      const { payload, executionResult } = event;
      return {
        ...event,
        payload: hideAt(payload, paths),
        executionResult: isFields(executionResult) ? resultWithout(executionResult, paths) : executionResult,
      };
    });
  }

  async envelope(envelope: EventEnvelope): Promise<EventEnvelope> {
    const { metadata } = envelope;
    const taskUuid = String(metadata.task_uuid);
    const sensitive = (await this.#of([{ taskUuid }])).get(taskUuid);
    if (!sensitive) return envelope;
    const { task_sequence_step: step, execution_result: result, payload } = envelope.payload;
    const paths = pathsOfStep(sensitive, String(metadata.step_name));
    return {
      ...envelope,
      payload: {
        task_sequence_step: step && sequenceStepWithout(step, sensitive),
        execution_result: isFields(result) ? resultWithout(result, paths) : result,
        payload: hideAt(payload, paths),
      },
    };
  }

  async schedules<T extends { template: string; context: Record<string, unknown> }>(
    schedules: readonly T[],
  ): Promise<T[]> {
    if (schedules.every(({ context }) => Object.keys(context).length === 0)) return [...schedules];
    const declared = await templatesWithSensitive(this.#engine);
    return schedules.map((schedule) => scheduleWithout(schedule, declared));
  }

  /** Hides values in the filters of bulk actions. */
  async filters<T extends { filter: TaskFilter | null }>(items: readonly T[]): Promise<T[]> {
    if (items.every(({ filter }) => filter?.context === undefined)) return [...items];
    const declared = await templatesWithSensitive(this.#engine);
    return items.map((item) => ({ ...item, filter: item.filter && filterWithout(item.filter, declared) }));
  }

  /** Hides values in the entries of the audit: in contexts of schedules, and in filters of bulk actions. */
  async acts(entries: readonly AuditEntry[]): Promise<AuditEntry[]> {
    if (entries.every(({ details }) => !isFields(details?.spec) && !isFields(details?.filter))) return [...entries];
    const declared = await templatesWithSensitive(this.#engine);
    return entries.map((entry) => {
      const { spec, filter } = entry.details ?? {};
      const shown = {
        ...(isFields(spec) && { spec: scheduleWithout(spec, declared) }),
        ...(isFields(filter) && { filter: filterWithout(filter, declared) }),
      };
      return entry.details === null ? entry : { ...entry, details: { ...entry.details, ...shown } };
    });
  }

  /**
   * Rejects a filter that compares a sensitive value, because the tasks that it finds would reveal the value.
   * @throws TaskerError `forbidden`
   */
  async refuse(filter: object = {}): Promise<void> {
    const { context } = filter as { context?: unknown };
    if (!isFields(context)) return;
    const declared = await templatesWithSensitive(this.#engine);
    const paths = declared.flatMap((template) => (mayFind(filter, template) ? template.paths : []));
    refuseCondition(context, paths, this.#way);
  }
}

/** An id that no task has. */
const NO_TASK = { taskUuid: '00000000-0000-0000-0000-000000000000' };

function taskWithout<
  T extends { taskUuid: string; context: Record<string, unknown>; output?: Record<string, unknown> },
>(task: T, found: Found): T {
  const sensitive = found.get(task.taskUuid);
  const context = hideAt(task.context, sensitive?.context);
  const output = hideAt(task.output, sensitive?.output);
  if (context === task.context && output === task.output) return task;
  return { ...task, context, ...(output && { output }) };
}

function stepWithout(step: Step, found: Found): Step {
  const paths = pathsOfStep(found.get(step.taskUuid), step.templateStepName);
  return paths && step.results ? { ...step, results: resultWithout(step.results, paths) } : step;
}

function resultWithout<T extends object>(outcome: T, paths: SensitivePaths | undefined): T {
  return 'result' in outcome ? { ...outcome, result: hideAt(outcome.result, paths) } : outcome;
}

/** The paths begin in the result of the approval, which has the votes. */
function voteWithout(vote: Vote, paths: SensitivePaths): Vote {
  const { form, comment } = vote;
  const { votes } = hideAt({ votes: [{ form, comment }] }, paths);
  const shown: unknown = Array.isArray(votes) ? votes[0] : undefined;
  return isFields(shown) ? { ...vote, ...shown } : { ...vote, form: HIDDEN, comment: HIDDEN };
}

/** Hides values in the task of an event, and in the results of the steps before. */
function sequenceStepWithout(step: Record<string, unknown>, sensitive: SensitiveValues): Record<string, unknown> {
  const { task: named, dependency_results: results } = step;
  const task = isFields(named) && isFields(named.task) ? named.task : {};
  const above = Object.entries(isFields(results) ? results : {}).map(([name, one]) => {
    return [name, isFields(one) ? resultWithout(one, pathsOfStep(sensitive, name)) : one];
  });
  return {
    ...step,
    task: { ...(named as object), task: { ...task, context: hideAt(task.context, sensitive.context) } },
    dependency_results: Object.fromEntries(above) as object,
  };
}

/** Returns whether a filter can find tasks of a template. */
function mayFind(filter: object, { namespace, name }: SensitiveTemplateRow): boolean {
  const { namespace: wanted, name: named } = filter as { namespace?: unknown; name?: unknown };
  if (wanted !== undefined && ![wanted].flat().includes(namespace)) return false;
  return named === undefined || named === name;
}

function filterWithout<T extends object>(filter: T, declared: readonly SensitiveTemplateRow[]): T {
  const { context } = filter as { context?: unknown };
  if (!isFields(context)) return filter;
  const paths = declared.flatMap((template) => (mayFind(filter, template) ? template.paths : []));
  return { ...filter, context: hideInCondition(context, paths) };
}

/**
 * Applies the declarations of all versions of the template, because the template may have been registered again since.
 */
function scheduleWithout<T extends { template?: unknown; context?: unknown }>(
  schedule: T,
  declared: readonly SensitiveTemplateRow[],
): T {
  const { template } = schedule;
  const of = isFields(template) ? `${template.namespace}/${template.name}` : String(template).split('@')[0];
  const own = declared.filter(({ namespace, name }) => of === `${namespace}/${name}`);
  const paths = sensitivePaths(own.flatMap((one) => one.paths));
  return { ...schedule, context: hideAt(schedule.context, paths) };
}
