import { LONGEST_DURATION_MS } from '../model/duration.ts';
import { isUuid } from '../model/ids.ts';
import { CONTEXT_LIMITS, type Fields, isFields, isStorableText, storableJson } from '../model/json.ts';
import { misuse, shown } from './misuse.ts';

/** Options of `completeLater`. */
export interface CompleteLaterOptions {
  /**
   * How long the step waits for its completion, in milliseconds. After that, the attempt fails, and the retry policy of
   * the step applies. Default: no limit.
   */
  timeoutMs?: number | null;
  /** Shown with the wait, for example the id of the job in the other system. At most 64 KiB as JSON. */
  metadata?: Fields;
}

/** Options of `notYet`. */
export interface NotYetOptions {
  /** Milliseconds until the handler is called again. */
  retryInMs: number;
  /**
   * The position to resume from: any JSON value, read as `context.checkpointCursor`. An object with `cursor` is the whole
   * progress, as in `context.checkpoint(…)`. Default: the last saved checkpoint.
   */
  checkpoint?: unknown;
}

/** Options of `untilTasksEnd`. */
export interface UntilTasksEndOptions {
  /**
   * The effect of a child task that ends in `error` or is cancelled. `fail` (default): the step fails permanently with
   * `child_failed`. `continue`: the step completes, and its result has the state and the error of each task.
   */
  onFailure?: 'fail' | 'continue';
  /** The limit of the wait, in milliseconds. Then the tasks that have not ended are cancelled. Default: no limit. */
  timeoutMs?: number | null;
}

/** A child task that a handler has started with `context.startTask`. */
export interface StartedTask {
  readonly taskUuid: string;
}

/** The wait of a step whose handler has returned without a result. */
export type StepWait =
  | {
      readonly kind: 'tasks';
      readonly taskUuids: readonly string[];
      readonly onFailure: 'fail' | 'continue';
      readonly timeoutMs: number | null;
    }
  | { readonly kind: 'completion'; readonly timeoutMs: number | null; readonly metadata: Fields }
  | { readonly kind: 'call'; readonly retryInMs: number; readonly checkpoint?: unknown };

/** Bytes. */
const MAX_METADATA = 64 * 1024;

/** Checks the options of `completeLater`. @throws PermanentError `validation_error` */
export function completionWait(options: CompleteLaterOptions = {}): StepWait {
  refuseUnknown('completeLater', options, ['timeoutMs', 'metadata']);
  const { timeoutMs = null, metadata = {} } = options;
  if (timeoutMs !== null) checkDuration('completeLater', 'timeoutMs', timeoutMs);
  if (!isFields(metadata)) throw misuse(`completeLater: metadata must be an object, not ${shown(metadata)}`);
  const stored = storableJson(metadata, { name: 'metadata', maxBytes: MAX_METADATA });
  if (!stored.ok) throw misuse(`completeLater: ${stored.path}: ${stored.reason}`);
  return { kind: 'completion', timeoutMs, metadata: JSON.parse(stored.json) as Fields };
}

/** Checks the options of `notYet`. @throws PermanentError `validation_error` */
export function callWait(options: NotYetOptions): StepWait {
  refuseUnknown('notYet', options, ['retryInMs', 'checkpoint']);
  const { retryInMs, checkpoint } = options;
  if (retryInMs === undefined)
    throw misuse('notYet: retryInMs is missing; pass the number of milliseconds until the next call of the handler');
  checkDuration('notYet', 'retryInMs', retryInMs);
  return checkpoint === undefined ? { kind: 'call', retryInMs } : { kind: 'call', retryInMs, checkpoint };
}

/** Maximum number of tasks that one step waits for. */
const MOST_TASKS = 10_000;

/** Checks the arguments of `untilTasksEnd`. @throws PermanentError `validation_error` */
export function tasksWait(tasks: readonly (StartedTask | string)[], options: UntilTasksEndOptions = {}): StepWait {
  if (!Array.isArray(tasks)) throw misuse(`untilTasksEnd: takes a list of tasks, not ${shown(tasks)}`);
  refuseUnknown('untilTasksEnd', options, ['onFailure', 'timeoutMs']);
  const { onFailure = 'fail', timeoutMs = null } = options;
  if (onFailure !== 'fail' && onFailure !== 'continue') {
    throw misuse(`untilTasksEnd: onFailure must be 'fail' or 'continue', not ${shown(onFailure)}`);
  }
  if (timeoutMs !== null) checkDuration('untilTasksEnd', 'timeoutMs', timeoutMs);
  if (tasks.length > MOST_TASKS) {
    throw misuse(`untilTasksEnd: takes at most 10,000 tasks, not ${tasks.length}; start fewer with more work each`);
  }
  const taskUuids = (tasks as readonly unknown[]).map((task, i) => {
    const id = isFields(task) ? task.taskUuid : task;
    if (typeof id === 'string' && isUuid(id)) return id.toLowerCase();
    throw misuse(
      `untilTasksEnd: number ${i + 1} of the list is ${shown(task)}, not a task that context.startTask has returned; await each startTask first`,
    );
  });
  return { kind: 'tasks', taskUuids, onFailure, timeoutMs };
}

/** Options of `context.startTask`. */
export interface StartTaskOptions {
  /**
   * Distinguishes the children of this step. In one run of the step, a key always returns the same child, so a second attempt
   * does not start it again. From 1 to 255 characters.
   */
  key: string;
  /**
   * The effect on the child if the step is cancelled, reset or rerun, or fails permanently. `cancel` (default): it is
   * cancelled. `abandon`: it continues.
   */
  onCancel?: 'cancel' | 'abandon';
}

/** A workflow, or another object that names a template. */
export interface TemplateReference {
  readonly namespace: string;
  readonly name: string;
}

/** The context of a child task: the input of its workflow, if it is named by a workflow. */
export type ChildTaskContext<Template> = Template extends { readonly types?: { input: infer Input } }
  ? Input
  : Record<string, unknown>;

/** A child task to start, with its options checked. */
export interface ChildTaskStart {
  key: string;
  /** `name`, `namespace/name` or `namespace/name@version`. */
  template: string;
  context: Fields;
  onCancel: 'cancel' | 'abandon';
}

const MAX_KEY = 255;

/** Checks the arguments of `context.startTask`. @throws PermanentError `validation_error` */
export function childTaskStart(
  template: string | TemplateReference,
  context: unknown,
  options: StartTaskOptions,
): ChildTaskStart {
  const name = typeof template === 'string' ? template : `${template?.namespace}/${template?.name}`;
  if (name === '' || (typeof template !== 'string' && typeof template?.name !== 'string')) {
    throw misuse(
      `startTask: the template must be a workflow or a name such as billing/invoice, not ${shown(template)}`,
    );
  }
  refuseUnknown('startTask', options, ['key', 'onCancel']);
  const { key, onCancel = 'cancel' } = options;
  if (typeof key !== 'string' || key === '' || !isStorableText(key)) {
    throw misuse(`startTask: key must be a text that distinguishes the children of this step, not ${shown(key)}`);
  }
  if (key.length > MAX_KEY) {
    throw misuse(`startTask: key has ${key.length} characters, but the maximum is ${MAX_KEY}; use an id or a hash`);
  }
  if (onCancel !== 'cancel' && onCancel !== 'abandon') {
    throw misuse(`startTask: onCancel must be 'cancel' or 'abandon', not ${shown(onCancel)}`);
  }
  if (!isFields(context)) throw misuse(`startTask: the context must be an object, not ${shown(context)}`);
  const stored = storableJson(context, { ...CONTEXT_LIMITS, name: 'context' });
  if (!stored.ok) throw misuse(`startTask: ${stored.path}: ${stored.reason}`);
  return { key, template: name, context: JSON.parse(stored.json) as Fields, onCancel };
}

function refuseUnknown(where: string, options: unknown, known: readonly string[]): void {
  if (!isFields(options)) throw misuse(`${where}: takes an object with ${known.join(' and ')}, not ${shown(options)}`);
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw misuse(`${where}: unknown option ${unknown}; the options are ${known.join(', ')}`);
}

function checkDuration(where: string, name: string, value: unknown): void {
  if (typeof value !== 'number' || !(value > 0)) {
    throw misuse(`${where}: ${name} must be a number of milliseconds greater than 0, not ${shown(value)}`);
  }
  if (value > LONGEST_DURATION_MS) {
    throw misuse(`${where}: ${name} is ${value} ms, which is more than the maximum of 366,000 days`);
  }
}
