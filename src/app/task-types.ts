import type { TaskRequest } from '../engine/create-task.ts';
import type { AnyKnown, Dynamic, KnownRequest, Meant, TaskTypes } from './known-tasks.ts';

export type { TaskTypes } from './known-tasks.ts';

/**
 * The request for a task of one known template.
 *
 * @example
 * // `tasker generate types` writes this:
 * declare module 'tasker-core' {
 *   interface TaskTypes {
 *     'shop/order@1.1.0': { namespace: 'shop'; name: 'order'; version: '1.1.0'; active: true; context: { order_id: string } };
 *   }
 * }
 * const request: TaskRequestOf<'shop/order@1.1.0'> = { namespace: 'shop', name: 'order', context: { order_id: 'O-7' } };
 */
export type TaskRequestOf<Key extends keyof Types, Types = TaskTypes> = KnownRequest<Key, Types, TaskRequest>;

/** The parameter of `createTask` for a request with this name, namespace and version; an absent one is `never`. */
export type CheckedRequest<
  Name extends string,
  Namespace extends string,
  Version extends string,
  Types = TaskTypes,
  Request = TaskRequest,
> = [keyof Types] extends [never]
  ? Request
  : string extends Name | Namespace | Version
    ? Dynamic<Name, Namespace, Version, Request>
    : Meant<Name, Namespace, Version, AnyKnown<Types, TaskRequest>>;

/**
 * The parameter of `createTasks`. Name, namespace and version are unions over all requests, so each request is checked
 * against all templates.
 */
export type CheckedRequests<
  Name extends string,
  Namespace extends string,
  Version extends string,
  Types = TaskTypes,
> = readonly ([keyof Types] extends [never]
  ? TaskRequest
  : string extends Name | Namespace | Version
    ? Dynamic<Name, Namespace, Version, TaskRequest>
    : AnyKnown<Types, TaskRequest>)[];
