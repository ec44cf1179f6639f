import type { Db } from '../db/statement.ts';
import type { ExpressionValues } from '../expressions/expression.ts';
import { ExpressionFailed } from '../expressions/expression-error.ts';
import { type ExpressionMap, evaluateMap, expressionMap, orFailure } from '../expressions/expression-map.ts';
import { templateIndex } from '../model/ids.ts';
import type { Fields } from '../model/json.ts';
import { describeViolations } from '../model/schema-violations.ts';
import { type FailureRow, loadFailures, loadResults, type ResultRow } from '../store/read-steps.ts';
import type { TaskRow } from '../store/tasks.ts';
import { compileStored } from '../template/json-schema-check.ts';
import { type AttemptDetail, type Task, taskView } from './task-view.ts';
import type { Snapshot } from './template-store.ts';

/** Maximum size of the results that the output of a task reads, in characters. */
export const MOST_READ = 8 * 1024 * 1024;

/** The parts of the engine that outputs need. */
interface Reading {
  readonly database: Db;
  readonly templates: {
    load(ids: Iterable<number>): Promise<ReadonlyMap<number, Error>>;
    get(id: number): Snapshot;
  };
}

/** A complete task whose template has an output. */
interface Ended {
  task: Task;
  snapshot: Snapshot;
  output: ExpressionMap;
}

/**
 * Returns the tasks of rows. Complete tasks have their output, which is computed here: it is not stored. If an expression
 * fails, or the output does not match its schema, the task has an error in its place.
 */
export async function tasksWithOutput(on: Reading, rows: readonly TaskRow[]): Promise<Task[]> {
  const tasks = rows.map(taskView);
  const complete = rows.flatMap(({ status, templateId }, i) => (status === 'complete' ? [{ templateId, i }] : []));
  if (complete.length === 0) return tasks;
  const unreadable = await on.templates.load(complete.map(({ templateId }) => templateId));
  const ended = complete.flatMap(({ templateId, i }): Ended[] => {
    if (unreadable.has(templateId)) return [];
    const snapshot = on.templates.get(templateId);
    const { output } = snapshot.template;
    const task = tasks[i]!;
    const map = output && orFailure(() => expressionMap(output));
    if (map instanceof ExpressionFailed) task.outputError = `output.${map.message}`;
    return map && !(map instanceof ExpressionFailed) ? [{ task, snapshot, output: map }] : [];
  });
  if (ended.length > 0) await addOutputs(on.database, ended);
  return tasks;
}

async function addOutputs(database: Db, ended: readonly Ended[]): Promise<void> {
  const together = await resultsFor(database, ended);
  for (const one of ended) {
    let own = together.filter(({ taskUuid }) => taskUuid === one.task.taskUuid);
    // The results of all tasks may be too large together.
    if (ended.length > 1 && own.some(({ withheld }) => withheld)) own = await resultsFor(database, [one]);
    if (own.some(({ withheld }) => withheld)) {
      const most = MOST_READ / 1024 / 1024;
      one.task.outputError = `the results that the output reads are larger than ${most} MiB together; let a step return the parts that are needed`;
      continue;
    }
    const { names } = one.snapshot.graph;
    const results = own.flatMap(({ idx, result }) =>
      result === null ? [] : [[names[idx]!, JSON.parse(result) as unknown] as const],
    );
    Object.assign(one.task, outputOf(one, Object.fromEntries(results), await failuresFor(database, one)));
  }
}

async function resultsFor(database: Db, ended: readonly Ended[]): Promise<ResultRow[]> {
  const wanted = ended.flatMap(({ task: { taskUuid }, snapshot, output }) =>
    output.steps.map((name) => ({ taskUuid, idx: snapshot.graph.indexOf.get(name)! })),
  );
  return wanted.length > 0 ? loadResults(database, wanted, MOST_READ) : [];
}

/** Returns the failures that the output reads, which steps after them have handled. */
async function failuresFor(database: Db, { task: { taskUuid }, snapshot, output }: Ended): Promise<Fields> {
  if (output.failures.length === 0) return {};
  const { names, indexOf } = snapshot.graph;
  const steps = output.failures.map((name) => ({ taskUuid, idx: indexOf.get(name)! }));
  return failuresByName(names, await loadFailures(database, steps));
}

/** Returns failures by the name of their step, as expressions read them. */
export function failuresByName(names: readonly string[], rows: readonly FailureRow[]): Fields {
  return Object.fromEntries(
    rows.map(({ idx, number, error }) => {
      const {
        message = '',
        error_type = null,
        error_code = null,
      } = JSON.parse(error ?? '{}') as NonNullable<AttemptDetail['error']>;
      return [names[templateIndex(idx)]!, { type: error_type, message, code: error_code, attempts: number }];
    }),
  );
}

/** Returns the output of a task, or why it has none. */
function outputOf(
  { task, snapshot, output }: Ended,
  steps: Fields,
  errors: Fields,
): Pick<Task, 'output' | 'outputError'> {
  const made = orFailure(() => evaluateMap(output, valuesOf(task, steps, errors)));
  if (made instanceof ExpressionFailed) return { outputError: `output.${made.message}` };
  const { outputSchema } = snapshot.template;
  const [wrong] = outputSchema ? compileStored(outputSchema)(made) : [];
  return wrong
    ? { outputError: `the output does not match output_schema: ${describeViolations([wrong])}` }
    : { output: made };
}

function valuesOf(task: Task, steps: Fields, errors: Fields): ExpressionValues {
  const { taskUuid: uuid, namespace, name, version, tags, priority } = task;
  return {
    context: task.context,
    steps,
    errors,
    task: {
      uuid,
      namespace,
      name,
      version,
      tags,
      priority,
      created_at: task.createdAt,
      correlation_id: task.correlationId,
    },
  };
}
