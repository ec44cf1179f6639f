import type { Database } from '../../db/database.ts';
import type { UserClient } from '../../db/user-client.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid, identityHash } from '../../model/ids.ts';
import { isFields, isStorableText, storableJson } from '../../model/json.ts';
import { type TaskOfTemplate, tasksOfCorrelation, templatesOfTasks } from '../../store/signals/read.ts';
import { findIdentities } from '../../store/tasks.ts';
import { versionsOf } from '../../store/templates.ts';
import { shownValue } from '../shown-value.ts';
import { SIGNAL_LIMITS } from './signal-rules.ts';

/** The id of the task to which a signal is sent, or the keys that find it. */
export type SignalTarget =
  | string
  | {
      /** All open tasks with this correlation id that have a step for the signal. */
      correlationId: string;
    }
  | {
      /** Namespace of the template. Default `default`. */
      namespace?: string | undefined;
      /** Name of the template. */
      name: string;
      /** Its version. Default: any. */
      version?: string | undefined;
      /** The key that the task was created with. */
      idempotencyKey: string;
    };

/** Options of a signal. */
export interface SignalOptions {
  /**
   * Signals of one task with the same name and key are one signal: the second is not stored, and its sender receives
   * the response to the first. At most 256 characters.
   */
  idempotencyKey?: string | undefined;
  /** The name of the sender, at most 256 characters. */
  by?: string | undefined;
  /**
   * A `pg` client in a transaction of the caller, in the same database, or the transaction of another library, by an
   * adapter of `tasker-core/orm`. The signal is a row of that transaction, and is used within a second of its commit.
   */
  client?: UserClient | undefined;
}

/** A signal that was checked. */
export interface CheckedSignal {
  name: string;
  key: string | null;
  /** JSON text. */
  payload: string;
  /** The payload as plain JSON. */
  value: unknown;
  bytes: number;
  by: string | null;
}

/** Checks a signal. @throws TaskerError `bad_request`, `signal_refused` if its payload cannot be stored */
export function checkSignal(name: string, payload: unknown, options: SignalOptions): CheckedSignal {
  const { idempotencyKey, by } = options;
  text(name, 'the name of a signal', 128);
  const stored = storableJson(payload === undefined ? null : payload, {
    maxBytes: SIGNAL_LIMITS.payloadBytes,
    name: 'payload',
  });
  if (!stored.ok) {
    throw new TaskerError(
      'signal_refused',
      `the payload of signal ${name} cannot be stored: ${stored.path}: ${stored.reason}`,
      {
        details: { path: stored.path },
      },
    );
  }
  return {
    name,
    key: idempotencyKey === undefined || idempotencyKey === null ? null : text(idempotencyKey, 'idempotencyKey', 256),
    payload: stored.json,
    value: JSON.parse(stored.json) as unknown,
    bytes: Buffer.byteLength(stored.json),
    by: by === undefined || by === null ? null : text(by, 'by', 256),
  };
}

/** Checks a string that must not be empty. @throws TaskerError `bad_request` */
export function text(value: unknown, what: string, most: number): string {
  if (typeof value === 'string' && value !== '' && value.length <= most && isStorableText(value)) return value;
  throw new TaskerError(
    'bad_request',
    `${what} must be a string of 1 to ${most} characters without U+0000 or lone surrogates, got ${shownValue(value)}`,
  );
}

/** Checks a target, and returns it in the form in which the inbox stores it. @throws TaskerError `bad_request`, `invalid_uuid` */
export function checkTarget(target: SignalTarget): SignalTarget {
  if (typeof target === 'string') return checkUuid(target, 'the task id');
  if (isFields(target)) {
    if ('correlationId' in target) return { correlationId: checkUuid(target.correlationId, 'correlationId') };
    if ('idempotencyKey' in target) {
      const { namespace = 'default', name, version, idempotencyKey } = target;
      const of = { namespace: text(namespace, 'namespace', 128), name: text(name, 'name', 128) };
      const key = text(idempotencyKey, 'idempotencyKey of the task', 10_000);
      return { ...of, version: version === undefined ? undefined : text(version, 'version', 128), idempotencyKey: key };
    }
  }
  throw new TaskerError(
    'bad_request',
    `the target of a signal must be a task id, { correlationId } or { namespace, name, idempotencyKey }, got ${shownValue(target)}`,
  );
}

/** Maximum number of tasks that a signal by correlation id is sent to. */
const MOST_TASKS = 1_000;

/**
 * Finds the tasks that a signal is sent to.
 * @throws TaskerError `task_not_found`, `bad_request` if there are too many or the key is not unique
 */
export async function findTargets(database: Database, target: SignalTarget): Promise<TaskOfTemplate[]> {
  if (typeof target === 'string') {
    const found = await templatesOfTasks(database, [target]);
    if (found.length === 0) throw new TaskerError('task_not_found', `task ${target} not found`);
    return found;
  }
  if ('idempotencyKey' in target) return [await taskOfKey(database, target)];
  const found = await tasksOfCorrelation(database, target.correlationId, MOST_TASKS + 1);
  if (found.length <= MOST_TASKS) return found;
  throw new TaskerError(
    'bad_request',
    `more than ${MOST_TASKS} open tasks have the correlation id ${target.correlationId}; send the signal to each task`,
  );
}

async function taskOfKey(
  database: Database,
  { namespace = 'default', name, version, idempotencyKey }: Exclude<SignalTarget, string | { correlationId: string }>,
): Promise<TaskOfTemplate> {
  const versions = version === undefined ? await versionsOf(database, namespace, name) : [version];
  const hashes = versions.map(
    (one) => identityHash({ namespace, name, version: one, strategy: 'strict', idempotencyKey, context: '' })!,
  );
  const identities = [...(await findIdentities(database, hashes)).values()];
  const found = await templatesOfTasks(
    database,
    identities.map(({ taskUuid }) => taskUuid),
  );
  const open = found.filter((task) => task.open);
  const of = `${namespace}/${name}${version === undefined ? '' : `@${version}`}`;
  if (open.length > 1) {
    throw new TaskerError(
      'bad_request',
      `several open tasks of ${of} have the idempotency key ${idempotencyKey}, in different versions: ${open.map(({ taskUuid }) => taskUuid).join(', ')}; pass the version or the id of the task`,
    );
  }
  const task = open[0] ?? found.at(-1);
  if (task) return task;
  throw new TaskerError('task_not_found', `no task of ${of} with the idempotency key ${idempotencyKey} exists`);
}
