import { TaskerError } from '../../errors.ts';
import { isUuid } from '../../model/ids.ts';
import { isStorableText } from '../../model/json.ts';
import { nearNames } from '../../model/near-names.ts';
import { stateHint } from '../../model/state-hint.ts';
import { TASK_STATES } from '../../model/states.ts';
import type { StreamTask } from './changes.ts';

/**
 * Selects the changes of a stream. A task must meet all conditions. If a condition has several values, one match is
 * enough.
 */
export interface StreamFilter {
  /** Only this task. */
  task?: string | undefined;
  namespace?: string | readonly string[] | undefined;
  name?: string | readonly string[] | undefined;
  /** States of the task. A task that was sent is sent once more when it leaves them. */
  state?: string | readonly string[] | undefined;
  /** The task must have all of these tags. */
  tag?: string | readonly string[] | undefined;
  /** `task`, `step` or both. Default: `task`; for a single task: both. */
  kind?: StreamKind | readonly StreamKind[] | undefined;
}
/** A kind of object whose changes a stream sends. */
export type StreamKind = 'task' | 'step';

const KEYS = ['task', 'namespace', 'name', 'state', 'tag', 'kind'] as const satisfies readonly (keyof StreamFilter)[];
const KINDS: readonly string[] = ['task', 'step'] satisfies StreamKind[];

/** A filter that was checked. */
export interface Selection {
  task: string | undefined;
  namespaces: ReadonlySet<string> | undefined;
  /** The namespaces that the reader may see. Undefined means all. */
  allowed: ReadonlySet<string> | undefined;
  names: ReadonlySet<string> | undefined;
  states: ReadonlySet<string> | undefined;
  tags: readonly string[];
  wantsTasks: boolean;
  wantsSteps: boolean;
}

/** Checks a filter. `allowed`: the namespaces that the reader may see. @throws TaskerError `bad_request`, `invalid_uuid` */
export function readStreamFilter(filter: StreamFilter, allowed?: readonly string[]): Selection {
  for (const key of Object.keys(filter)) {
    if (KEYS.some((known) => known === key)) continue;
    const [near] = nearNames(key, KEYS, 1);
    throw new TaskerError(
      'bad_request',
      `unknown condition ${key}; ${near ? `did you mean ${near}?` : `the conditions are ${KEYS.join(', ')}`}`,
    );
  }
  const { task } = filter;
  if (task !== undefined && !isUuid(task)) throw new TaskerError('invalid_uuid', `the task id ${task} is not a UUID`);
  const states = textsOf(filter.state, 'state');
  for (const state of states ?? []) {
    if (TASK_STATES.some((known) => known === state)) continue;
    throw new TaskerError('bad_request', `${state} is not a task state; ${stateHint(state, TASK_STATES)}`);
  }
  const kinds = textsOf(filter.kind, 'kind') ?? (task === undefined ? ['task'] : KINDS);
  for (const kind of kinds) {
    if (!KINDS.includes(kind)) throw new TaskerError('bad_request', `kind: ${kind} is unknown; use task, step or both`);
  }
  return {
    task: task?.toLowerCase(),
    namespaces: setOf(textsOf(filter.namespace, 'namespace')),
    allowed: setOf(allowed),
    names: setOf(textsOf(filter.name, 'name')),
    states: setOf(states),
    tags: textsOf(filter.tag, 'tag') ?? [],
    wantsTasks: kinds.includes('task'),
    wantsSteps: kinds.includes('step'),
  };
}

function textsOf(given: unknown, what: string): readonly string[] | undefined {
  if (given === undefined) return undefined;
  const texts = [given].flat() as unknown[];
  for (const text of texts) {
    if (typeof text !== 'string') throw new TaskerError('bad_request', `${what} must be a string or a list of strings`);
    if (text === '' || !isStorableText(text)) {
      throw new TaskerError('bad_request', `${what} must not be empty or have characters that PostgreSQL cannot store`);
    }
  }
  return texts as string[];
}

function setOf(texts: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return texts && new Set(texts);
}

/** The facts of a task that decide whether a stream may see it and selects it. They never change. */
export type StreamedFacts = Pick<StreamTask, 'namespace' | 'name' | 'tags'>;

/** Returns whether a task meets all conditions except those on its state. */
export function selects(selection: Selection, { namespace, name, tags }: StreamedFacts): boolean {
  const { namespaces, allowed, names, tags: wanted } = selection;
  return (
    (allowed === undefined || allowed.has(namespace)) &&
    (namespaces === undefined || namespaces.has(namespace)) &&
    (names === undefined || names.has(name)) &&
    wanted.every((tag) => tags.includes(tag))
  );
}
