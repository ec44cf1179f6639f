import type { Database } from '../../db/database.ts';
import type { Db } from '../../db/statement.ts';
import { isTaskerError } from '../../errors.ts';
import { uuidV7 } from '../../model/ids.ts';
import type { Fields } from '../../model/json.ts';
import { hidesAll, sensitivePaths } from '../../model/sensitive.ts';
import type { WaitRequest } from '../../model/waits.ts';
import { insertChildren, type LevelOfTask, levelOfTask } from '../../store/child-tasks.ts';
import type { StepKey } from '../../store/step-key.ts';
import type { ChildConfig, StepTemplate } from '../../template/task-template.ts';
import { readTemplateName } from '../../template/template-name.ts';
import { insertPrepared, newTask, templateOf } from '../create-task.ts';
import type { PreparedTask } from '../prepared-task.ts';
import { nameOf, type Snapshot, type TemplateStore } from '../template-store.ts';

/** Maximum number of tasks above a task. */
export const MOST_LEVELS = 8;

/** A child task that cannot be started. A later attempt would fail in the same way. */
export class ChildRefused extends Error {
  /** The type of the failure. */
  readonly errorType: string;

  constructor(errorType: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.errorType = errorType;
  }
}

/** A child task that is created when the wait of its step begins. */
export interface StartingChild {
  task: PreparedTask;
  snapshot: Snapshot;
  rootUuid: string;
  level: number;
  abandoned: boolean;
}

/** The step that starts a child task. */
export interface StartingStep {
  taskUuid: string;
  template: Pick<StepTemplate, 'name' | 'sensitive'> & { child: ChildConfig };
  /** The namespace of its template. */
  namespace: string;
  /** The values of the expressions in `context`. */
  context: Fields;
  /** The keys of the context whose expressions read a sensitive value. */
  sensitiveKeys: readonly string[];
  /** The priority of its task, negated. */
  rank: number;
  correlationId: string;
  traceparent: string | undefined;
}

/**
 * Prepares the child task of a step and the wait for its end, before the transaction that creates both.
 * @throws ChildRefused
 */
export async function prepareChild(
  on: { database: Database; templates: TemplateStore },
  step: StartingStep,
): Promise<{ wait: WaitRequest; child: StartingChild }> {
  try {
    return await prepare(on, step);
  } catch (error) {
    if (!isTaskerError(error) || !FINAL.has(error.code)) throw error;
    const where = error.code === 'invalid_context' ? `\`context\` of step ${step.template.name}: ` : '';
    throw new ChildRefused(error.code, `${where}${error.message}`, { cause: error });
  }
}

/** The codes of errors that would occur again. */
export const FINAL: ReadonlySet<string> = new Set([
  'template_not_found',
  'template_invalid',
  'invalid_context',
  'identity_missing',
  'bad_request',
]);

async function prepare(
  { database, templates }: { database: Database; templates: TemplateStore },
  step: StartingStep,
): Promise<{ wait: WaitRequest; child: StartingChild }> {
  const { child } = step.template;
  const [place, { snapshot }] = await Promise.all([
    levelOfTask(database, step.taskUuid),
    templateOf(templates, readTemplateName(child.template, step.namespace)),
  ]);
  checkLevel(place, snapshot);
  checkSensitive(step, snapshot);
  const { onFailure, onCancel, timeoutMs } = child;
  const started = childOf(step, { place, snapshot, context: step.context, onCancel });
  const { namespace, name, version } = snapshot.template;
  const { taskUuid } = started.task;
  const settings = { task_uuid: taskUuid, namespace, name, version, on_failure: onFailure, on_cancel: onCancel };
  return { wait: { kind: 'task', forMs: timeoutMs ?? undefined, settings }, child: started };
}

/** @throws ChildRefused if the child would have too many tasks above it */
export function checkLevel(place: LevelOfTask | undefined, { template }: Snapshot): void {
  const level = (place?.level ?? 0) + 1;
  if (level > MOST_LEVELS) {
    throw new ChildRefused(
      'too_many_levels',
      `the child task of template ${nameOf(template)} would have more than ${MOST_LEVELS} tasks above it; a template that starts itself needs a condition, such as \`when\``,
    );
  }
}

/** The step that starts a child task, with the values that the child takes from it and its task. */
export type ParentStep = Pick<StartingStep, 'taskUuid' | 'rank' | 'correlationId' | 'traceparent'>;

/**
 * Returns a child task that is ready to be created. @throws TaskerError `invalid_context`
 */
export function childOf(
  step: ParentStep,
  {
    place,
    snapshot,
    context,
    onCancel,
  }: { place: LevelOfTask | undefined; snapshot: Snapshot; context: Fields; onCancel: ChildConfig['onCancel'] },
): StartingChild {
  const { namespace, name, version, identityStrategy } = snapshot.template;
  const task = newTask(
    {
      namespace,
      name,
      version,
      context,
      priority: step.rank === 0 ? 0 : -step.rank,
      parentCorrelationId: step.correlationId,
      ...(place?.initiator != null && { initiator: place.initiator }),
      ...(step.traceparent !== undefined && { traceparent: step.traceparent }),
      // Its context may be that of another task, or the template may require a key.
      ...(identityStrategy !== 'always_unique' && { idempotencyKey: `child ${uuidV7()} of ${step.taskUuid}` }),
    },
    snapshot,
    0,
  );
  return {
    task,
    snapshot,
    level: (place?.level ?? 0) + 1,
    rootUuid: place?.rootUuid ?? step.taskUuid,
    abandoned: onCancel === 'abandon',
  };
}

/**
 * Both templates must declare the sensitive values that go from one task to the other. Otherwise, readers without the
 * permission would see in one task what is hidden in the other.
 */
function checkSensitive(
  { template: { name, sensitive, child }, sensitiveKeys }: StartingStep,
  { template, sensitive: ofChild }: Snapshot,
): void {
  const bare = sensitiveKeys.filter((key) => !hidesAll(ofChild?.context, [key]));
  if (bare.length > 0) {
    throw new ChildRefused(
      'sensitive_undeclared',
      `\`context\` of step ${name}: ${nameOf(template)} would show the sensitive values in ${bare.map((key) => `\`${key}\``).join(', ')}; add \`sensitive: [${bare.join(', ')}]\` to that template`,
    );
  }
  const own = sensitivePaths(sensitive);
  const delivered = deliveredPaths(template, ofChild);
  const paths = child.onFailure === 'continue' ? delivered.map((path) => ['output', ...path]) : delivered;
  const open = paths.filter((path) => !hidesAll(own, path)).map((path) => path.join('.'));
  if (open.length === 0) return;
  const list = open.join(', ');
  throw new ChildRefused(
    'sensitive_undeclared',
    `the result of step ${name} would show sensitive values of ${nameOf(template)}: ${list}; add \`sensitive: [${list}]\` to the step`,
  );
}

/** Returns the paths to the sensitive values that a child delivers: in its output, or in its results by step. */
export function deliveredPaths({ output, steps }: Snapshot['template'], sensitive: Snapshot['sensitive']): string[][] {
  if (!sensitive) return [];
  if (output) return Object.keys(output).flatMap((key) => (hidesAll(sensitive.output, [key]) ? [[key]] : []));
  return steps.flatMap((step) => (sensitive.steps.get(step.name) ? [[step.name]] : []));
}

/** Creates the child tasks of steps whose waits have begun in this transaction. */
export async function startChildren(tx: Db, steps: readonly (StepKey & { child: StartingChild })[]): Promise<void> {
  if (steps.length === 0) return;
  await insertPrepared(
    tx,
    steps.map(({ child }) => child),
  );
  await insertChildren(
    tx,
    steps.map(({ taskUuid, idx, child: { task, rootUuid, level, abandoned } }) => ({
      childUuid: task.taskUuid,
      parentUuid: taskUuid,
      idx,
      rootUuid,
      level,
      abandoned,
    })),
  );
}
