import type { Database } from '../db/database.ts';
import type { Expression } from '../expressions/expression.ts';
import { ExpressionFailed } from '../expressions/expression-error.ts';
import { expressionMap, orFailure } from '../expressions/expression-map.ts';
import { grouped } from '../model/grouped.ts';
import { leadsTo, type SensitivePaths, sensitiveKeys, sensitivePaths } from '../model/sensitive.ts';
import { signalNames } from '../model/signal-names.ts';
import { templatesOfTasks } from '../store/signals/read.ts';
import { type SensitiveTemplateRow, sensitiveTemplates } from '../store/templates.ts';
import type { StepTemplate, TaskTemplate } from '../template/task-template.ts';

export type { SensitiveTemplateRow };

/** The values that a template declares as sensitive. */
export interface SensitiveValues {
  /** In the context of a task. Undefined if there are none. */
  readonly context: SensitivePaths | undefined;
  /** In the results of each step of the template. */
  readonly steps: ReadonlyMap<string, SensitivePaths | undefined>;
  /** In the results of any step. */
  readonly anyStep: SensitivePaths | undefined;
  /** In the payloads of signals, by their names. */
  readonly signals: ReadonlyMap<string, SensitivePaths | undefined>;
  /** In the output of a task: the values whose expressions read a sensitive value. */
  readonly output: SensitivePaths | undefined;
}

/** Returns the values that a template declares as sensitive. Undefined if it declares nothing. */
export function sensitiveValues({ sensitive, steps, output }: TaskTemplate): SensitiveValues | undefined {
  const ofSteps = steps.flatMap(pathsOf);
  if (!sensitive?.length && ofSteps.length === 0) return undefined;
  const users = steps.flatMap((step) => (step.signal ? signalNames(step.signal) : []).map((name) => ({ name, step })));
  const senders = grouped(users, ({ name }) => name);
  const values = {
    context: sensitivePaths(sensitive),
    steps: new Map(steps.map((step) => [step.name, sensitivePaths(pathsOf(step))])),
    anyStep: sensitivePaths(ofSteps),
    signals: new Map(
      [...senders].map(([name, of]) => [name, sensitivePaths(of.flatMap(({ step }) => payloadPaths(step)))]),
    ),
  };
  return { ...values, output: output ? sensitiveExpressions(output, values) : undefined };
}

/** Returns the names of the expressions that read a sensitive value, as paths. In doubt, all names. */
function sensitiveExpressions(
  texts: Readonly<Record<string, string>>,
  { context, steps }: Pick<SensitiveValues, 'context' | 'steps'>,
): SensitivePaths | undefined {
  const isSensitive = ({ reads }: Expression) =>
    reads.some(({ root, keys: [first, ...rest], keys }) => {
      if (root === 'context') return leadsTo(context, keys);
      // The text of an error may have any value that its handler read.
      return root === 'errors' || (root === 'steps' && leadsTo(steps.get(first ?? ''), rest));
    });
  const map = orFailure(() => expressionMap(texts));
  if (map instanceof ExpressionFailed) return ALL;
  return sensitiveKeys([...map.expressions].flatMap(([name, expression]) => (isSensitive(expression) ? [name] : [])));
}

/**
 * An approval's result contains the form and comment of the deciding vote, and those of every vote under `votes`.
 */
function pathsOf({ type, sensitive }: StepTemplate): string[] {
  const paths = sensitive ?? [];
  if (type !== 'approval') return paths;
  return [...paths, ...paths.filter((path) => /^(form|comment)(\.|$)/.test(path)).map((path) => `votes.*.${path}`)];
}

/** The place of the payload in the result of a step that waits for the first of several signals. */
const IN_PAYLOAD = /^(?:payload|\*)(?:\.|$)/;

/** The result of a step that waits for several signals has their payloads, to which the paths refer. */
function payloadPaths(step: StepTemplate): string[] {
  const paths = pathsOf(step);
  if (step.signal?.names)
    return paths.flatMap((path) => (IN_PAYLOAD.test(path) ? path.replace(IN_PAYLOAD, '') || '*' : []));
  if (step.signal === null || step.signal.count === 1) return paths;
  return paths.map((path) => path.replace(/^(\*|\d+)(\.|$)/, '') || '*');
}

/**
 * Returns the sensitive paths in the result of a step. A batch worker's name differs from the name of its template
 * step, so the paths of all steps apply to its result.
 */
export function pathsOfStep(sensitive: SensitiveValues | undefined, step: string): SensitivePaths | undefined {
  if (!sensitive) return undefined;
  return sensitive.steps.has(step) ? sensitive.steps.get(step) : sensitive.anyStep;
}

const ALL = sensitivePaths(['*']);
/** For tasks with an unknown template: the task was deleted, or a newer program stored a template that this one cannot read. */
const EVERYTHING: SensitiveValues = { context: ALL, steps: new Map(), anyStep: ALL, signals: new Map(), output: ALL };

/** Returns the sensitive paths in the payload of a signal to a task. */
export function pathsOfSignal(sensitive: SensitiveValues | undefined, name: string): SensitivePaths | undefined {
  return sensitive === EVERYTHING ? ALL : sensitive?.signals.get(name);
}

interface Reading {
  database: Database;
  templates: {
    load(ids: Iterable<number>): Promise<ReadonlyMap<number, Error>>;
    get(id: number): { sensitive: SensitiveValues | undefined };
  };
}

/**
 * Returns the values that the templates of tasks declare as sensitive. If a task no longer exists, everything in it is
 * treated as sensitive, unless no template declares sensitive values.
 */
export async function sensitiveOfTasks(
  on: Reading,
  taskUuids: Iterable<string>,
): Promise<Map<string, SensitiveValues | undefined>> {
  const { database, templates } = on;
  const ids = [...new Set(taskUuids)];
  if (ids.length === 0) return new Map();
  const tasks = await templatesOfTasks(database, ids);
  const unreadable = await templates.load(tasks.map(({ templateId }) => templateId));
  const found = new Map(
    tasks.map(({ taskUuid, templateId: id }) => [
      taskUuid,
      unreadable.has(id) ? EVERYTHING : templates.get(id).sensitive,
    ]),
  );
  const missing = ids.filter((id) => !found.has(id));
  if (missing.length === 0) return found;
  const rest = (await sensitiveTemplates(database)).length > 0 ? EVERYTHING : undefined;
  for (const id of missing) found.set(id, rest);
  return found;
}

/** Returns every registered template that declares sensitive values. */
export function templatesWithSensitive({ database }: Pick<Reading, 'database'>): Promise<SensitiveTemplateRow[]> {
  return sensitiveTemplates(database);
}
