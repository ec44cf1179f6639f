import type { AnyKnown, Dynamic, Meant, TaskTypes } from '../app/known-tasks.ts';
import type { CallOptions } from './client-options.ts';
import type { TaskRequestBody } from './types.ts';

/** The fields of a request that have a default. */
type Optional = 'namespace' | 'context' | 'initiator' | 'source_system' | 'reason';

/**
 * A task to create. Fields that are omitted have the defaults of {@link NEW_TASK_DEFAULTS}. Without a version, the server
 * creates a task of the active version.
 */
export type NewTask = Omit<TaskRequestBody, Optional> & Partial<Pick<TaskRequestBody, Optional>>;

/** Options of `tasks.create`. */
export interface CreateTaskCall extends CallOptions {
  /** Whether a task with the same identity is returned instead of a {@link ConflictError}. Default false. */
  returnExisting?: boolean | undefined;
}

/**
 * The parameter of `tasks.create`. With the file of `tasker generate types` in the program, name, namespace, version and
 * context are checked.
 */
export type CheckedNewTask<Name extends string, Namespace extends string, Version extends string, Types = TaskTypes> = [
  keyof Types,
] extends [never]
  ? NewTask
  : string extends Name | Namespace | Version
    ? Dynamic<Name, Namespace, Version, NewTask>
    : Meant<Name, Namespace, Version, AnyKnown<Types, NewTask>>;

/** The values of the fields that a request omits. `correlation_id` is a new UUID. */
export const NEW_TASK_DEFAULTS = {
  namespace: 'default',
  context: {},
  initiator: 'tasker-core-typescript',
  source_system: 'tasker-core',
  reason: 'Task requested',
} as const;

/** Returns a request with its defaults. Undefined fields are treated as omitted. */
export function completed(request: NewTask): TaskRequestBody {
  const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as NewTask;
  return { ...NEW_TASK_DEFAULTS, ...given, correlation_id: given.correlation_id ?? newUuid() };
}

/** Returns a random UUID. `crypto.randomUUID` is absent from pages that are not served over HTTPS. */
export function newUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Returns a message of the server about a duplicate, with an option of the client instead of the parameter of the query. */
export function withOption(message: string, option: string): string {
  return message.replace('send ?on_duplicate=return', `pass ${option}`);
}
