import { TaskerError } from '../errors.ts';

/** The parts of a request that messages name. */
interface NamedRequest {
  name: string;
  idempotencyKey?: string | undefined;
}

/** The place of a request among the requests of one creation. */
export interface RequestPlace {
  at: number;
  of: number;
}

/** Another task has the identity or the key of a task to create. The HTTP API writes its own message from the parts. */
export class CreationConflict extends TaskerError {
  /** `exists`: the caller can get the existing task. */
  readonly kind: 'exists' | 'pruned' | 'other_request' | 'key';
  /** The part of the message that does not name the other task. */
  readonly fact: string;
  readonly taskUuid: string;
  /** Advice for the caller. */
  readonly way: string;

  constructor(
    { kind, fact, taskUuid, way }: Pick<CreationConflict, 'kind' | 'fact' | 'taskUuid' | 'way'>,
    { at, of }: RequestPlace,
    details: Record<string, unknown> = {},
  ) {
    const place = of > 1 ? ` (number ${at + 1} of ${of}; none was created)` : '';
    super('conflict', `${fact}: ${taskUuid}${place}; ${way}`, {
      details: { task_uuid: taskUuid, ...details, ...(of > 1 && { index: at }) },
    });
    this.kind = kind;
    this.fact = fact;
    this.taskUuid = taskUuid;
    this.way = way;
  }

  /** Returns the error without the part about requests that would have been created with it. */
  alone(): CreationConflict {
    const { index: _, ...details } = this.details;
    return new CreationConflict(this, { at: 0, of: 1 }, details);
  }
}

/** The task exists. */
export function existingTask(request: NamedRequest, taskUuid: string, place: RequestPlace): CreationConflict {
  const fact = `task ${asRequested(request)} already exists`;
  const way = "pass onDuplicate: 'return' to get it, or use another idempotency key";
  return new CreationConflict({ kind: 'exists', fact, taskUuid, way }, place);
}

/** The task was pruned. */
export function prunedTask(
  request: NamedRequest,
  { taskUuid, prunedAt }: { taskUuid: string; prunedAt: string },
  place: RequestPlace,
): CreationConflict {
  const fact = `task ${asRequested(request)} was pruned at ${prunedAt}`;
  const way = `use another idempotency key, or release this one with \`tasker task delete ${taskUuid}\``;
  return new CreationConflict({ kind: 'pruned', fact, taskUuid, way }, place, { pruned_at: prunedAt });
}

/** The key in the header of a request was already used with a different request. */
export function otherRequest(request: NamedRequest, taskUuid: string, place: RequestPlace): CreationConflict {
  const fact = `the Idempotency-Key ${request.idempotencyKey} was already used with a different name, namespace, version or context`;
  const way = 'send each request with its own key';
  return new CreationConflict({ kind: 'other_request', fact, taskUuid, way }, place);
}

/** The open task that has the key of a request. */
interface KeyHolder {
  taskUuid: string;
  state: string;
  stays?: 'undoing' | 'undone_on_cancel' | undefined;
}

/** An open task has the key of `unique`. */
export function keyHeld(
  { name }: NamedRequest,
  { key: { shown }, holder: { taskUuid, state, stays } }: { key: { shown: string }; holder: KeyHolder },
  place: RequestPlace,
): CreationConflict {
  const which = `the open task of ${name} with the key ${shown} (unique)`;
  const why = {
    undoing: 'is being undone, and cannot be replaced before that has ended',
    undone_on_cancel: 'cannot be replaced, because its template undoes cancelled tasks (on_cancel: undo)',
  };
  const fact = stays
    ? `${which} ${why[stays]}`
    : `a task of ${name} with the key ${shown} (unique) is open, in ${state}`;
  const way = 'wait until that task has ended, or cancel it';
  return new CreationConflict({ kind: 'key', fact, taskUuid, way }, place, { rule: 'unique', key: shown });
}

/** An open task has the key of `unique`, and the caller may not get it. */
export function openTaskOfKey({ name }: NamedRequest, taskUuid: string): CreationConflict {
  const fact = `a task of ${name} with the same key (unique) is open`;
  const way = 'wait until that task has ended';
  return new CreationConflict({ kind: 'key', fact, taskUuid, way }, { at: 0, of: 1 }, { rule: 'unique' });
}

/** Describes a request by its task's identity. */
function asRequested({ name, idempotencyKey }: NamedRequest): string {
  return `${name} ${idempotencyKey === undefined ? 'with the same context' : `with the idempotency key ${idempotencyKey}`}`;
}
