import type { TaskValues } from '../../expressions/expression.ts';
import { ExpressionFailed } from '../../expressions/expression-error.ts';
import { type ExpressionMap, evaluateMap, expressionMap, orFailure } from '../../expressions/expression-map.ts';
import type { Fields } from '../../model/json.ts';
import { isKeyValue, shownKey, taskKeyHash } from '../../model/task-key.ts';
import type { TaskTemplate, UniqueConfig } from '../../template/task-template.ts';
import { shownValue } from '../shown-value.ts';

/** The key of a task, of which there is at most one open task. */
export interface TaskKey {
  /** SHA-256 in hex. */
  hash: string;
  /** The key for messages. */
  shown: string;
  onConflict: UniqueConfig['onConflict'];
}

/** The values of a task that its key can be computed from, when it is created and later. */
export interface KeyValues {
  context: Fields;
  tags: readonly string[];
  priority: number;
  correlationId: string;
}

/** The field of a template whose expression is the key. */
export const UNIQUE_KEY = 'unique.key';

/** Returns the key of a task. Undefined if its template has no `unique`. A string describes why the key is wrong. */
export function keyOfTask(
  { namespace, name, version, unique }: TaskTemplate,
  { context, tags, priority, correlationId }: KeyValues,
): TaskKey | string | undefined {
  if (!unique) return undefined;
  const map = orFailure(() => mapOf(unique));
  if (map instanceof ExpressionFailed) return map.message;
  // The id and the time of the task are not known before it is created, and would differ for each task.
  const task = { namespace, name, version, tags, priority, correlation_id: correlationId } as Partial<TaskValues>;
  const values = orFailure(() => evaluateMap(map, { context, steps: {}, task: task as TaskValues }));
  if (values instanceof ExpressionFailed) return values.message;
  const key = values[UNIQUE_KEY];
  if (!isKeyValue(key)) return `${UNIQUE_KEY}: the key must be a string, a number or a boolean, got ${shownValue(key)}`;
  return { hash: taskKeyHash({ namespace, name }, key), shown: shownKey(key), onConflict: unique.onConflict };
}

const maps = new WeakMap<UniqueConfig, ExpressionMap>();

/** @throws ExpressionFailed if the expression is wrong, in a template that a later version has stored */
function mapOf(unique: UniqueConfig): ExpressionMap {
  const map = maps.get(unique) ?? expressionMap({ [UNIQUE_KEY]: unique.key });
  maps.set(unique, map);
  return map;
}
