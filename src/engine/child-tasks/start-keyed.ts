import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { isTaskerError, TaskerError } from '../../errors.ts';
import type { Fields } from '../../model/json.ts';
import { hidesAll } from '../../model/sensitive.ts';
import { insertKeyedChildren, type KeyedChild, keyedChildren, levelOfTask } from '../../store/child-tasks.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import type { HeldKey } from '../../store/step-key.ts';
import type { ChildConfig } from '../../template/task-template.ts';
import { readTemplateName } from '../../template/template-name.ts';
import { insertPrepared, templateOf } from '../create-task.ts';
import { nameOf, type TemplateStore } from '../template-store.ts';
import { ChildRefused, checkLevel, childOf, FINAL, type ParentStep, type StartingChild } from './start.ts';

/** Maximum number of children that a handler can start in one run of a step. */
export const MOST_STARTED = 10_000;

const SETTINGS = opening({
  ...PINNED_PLANS,
  lock_timeout: '5s',
  statement_timeout: '30s',
  // A worker that freezes before the commit must not lock its step forever.
  idle_in_transaction_session_timeout: '30s',
});

/** A running step whose handler starts child tasks. */
export interface KeyedParent extends ParentStep, HeldKey {
  name: string;
  /** The namespace of its template. */
  namespace: string;
}

/** A child task that a handler starts. */
export interface KeyedStart {
  key: string;
  /** As in a step of the type `task`. */
  template: string;
  context: Fields;
  onCancel: ChildConfig['onCancel'];
  /** The keys of the context that have a sensitive value of the parent. */
  sensitiveKeys: readonly string[];
  /** Whether `key` has one, which every reader of the task would see. */
  isKeySensitive: boolean;
}

/** The result of a start: the id of the child, and the child itself if it is new. */
export interface KeyedResult {
  taskUuid: string;
  child?: StartingChild;
}

/**
 * Starts child tasks from the handler of a running step, in one transaction. A key of the same run of the step that already has
 * a child returns this child. Returns a result or the refusal of each start; the keys must differ.
 * @throws TaskerError `step_taken_away` if the step is no longer held; no child is started
 */
export async function startKeyed(
  on: { database: Database; templates: TemplateStore },
  step: KeyedParent,
  starts: readonly KeyedStart[],
): Promise<(KeyedResult | ChildRefused)[]> {
  const { database } = on;
  const keys = starts.map(({ key }) => key);
  const [found, place] = await Promise.all([keyedChildren(database, step, keys), levelOfTask(database, step.taskUuid)]);
  if (!found) throw taken();
  const earlier = new Map(found.children.map((child) => [child.key, child]));
  let count = found.started;
  const results: (KeyedResult | ChildRefused)[] = [];
  const children: { key: string; child: StartingChild }[] = [];
  for (const start of starts) {
    const before = earlier.get(start.key);
    const result = before ? earlierChild(step, start, before) : await prepared(on, step, { start, place, count });
    if ('child' in result && result.child) {
      children.push({ key: start.key, child: result.child });
      count++;
    }
    results.push(result);
  }
  if (children.length > 0) await create(database, step, children);
  return results;
}

function create(
  database: Database,
  step: KeyedParent,
  children: readonly { key: string; child: StartingChild }[],
): Promise<void> {
  return database.transaction(SETTINGS, async (tx) => {
    const rows = children.map(({ key, child: { task, rootUuid, level, abandoned } }) => {
      return { key, childUuid: task.taskUuid, rootUuid, level, abandoned };
    });
    if (!(await insertKeyedChildren(tx, step, rows))) throw taken();
    await insertPrepared(
      tx,
      children.map(({ child }) => child),
    );
  });
}

function taken(): TaskerError {
  return new TaskerError('step_taken_away', 'the step is no longer held by this worker, so no child task was started');
}

function meant({ namespace }: KeyedParent, { template }: KeyedStart): ReturnType<typeof readTemplateName> {
  return readTemplateName(template, namespace);
}

/** Returns the child that an earlier call started with this key. Its context is not compared: a later attempt may compute another. */
function earlierChild(step: KeyedParent, start: KeyedStart, child: KeyedChild): KeyedResult | ChildRefused {
  const { namespace, name } = meant(step, start);
  if (child.name === null || (child.namespace === namespace && child.name === name)) {
    return { taskUuid: child.childUuid };
  }
  return new ChildRefused(
    'key_taken',
    `step ${step.name}: startTask with the key ${JSON.stringify(start.key)} names the template ${namespace}/${name}, but this run of the step has already started task ${child.childUuid} of ${child.namespace}/${child.name} with it; use another key for each child`,
  );
}

async function prepared(
  { templates }: { templates: TemplateStore },
  step: KeyedParent,
  { start, place, count }: { start: KeyedStart; place: Awaited<ReturnType<typeof levelOfTask>>; count: number },
): Promise<KeyedResult | ChildRefused> {
  if (count >= MOST_STARTED) {
    return new ChildRefused(
      'too_many_children',
      `step ${step.name} has started ${MOST_STARTED.toLocaleString('en')} child tasks in this run, which is the limit; start fewer with more work each, or let child tasks start others`,
    );
  }
  if (start.isKeySensitive) {
    return new ChildRefused(
      'sensitive_undeclared',
      `step ${step.name}: the key of startTask would show a sensitive value of the task; use an id or a hash as the key`,
    );
  }
  try {
    const { snapshot } = await templateOf(templates, meant(step, start));
    checkLevel(place, snapshot);
    const bare = start.sensitiveKeys.filter((key) => !hidesAll(snapshot.sensitive?.context, [key]));
    if (bare.length > 0) {
      const list = bare.map((key) => `\`${key}\``).join(', ');
      return new ChildRefused(
        'sensitive_undeclared',
        `step ${step.name}: ${nameOf(snapshot.template)} would show the sensitive values in ${list} of the context of startTask; add \`sensitive: [${bare.join(', ')}]\` to that template`,
      );
    }
    const child = childOf(step, { place, snapshot, context: start.context, onCancel: start.onCancel });
    return { taskUuid: child.task.taskUuid, child };
  } catch (error) {
    if (error instanceof ChildRefused) return error;
    if (!isTaskerError(error) || !FINAL.has(error.code)) throw error;
    return new ChildRefused(error.code, `step ${step.name}: startTask: ${error.message}`, { cause: error });
  }
}
