import type { TaskRequest } from '../engine/create-task.ts';

/**
 * The templates of a program, by `namespace/name@version`. `tasker generate types` writes a file that fills it. As soon
 * as that file is part of the program, `createTask`, `createTasks` and the test kit's `run` check name, namespace,
 * version and context. While it is empty, they take any {@link TaskRequest}.
 *
 * @example
 * declare module 'tasker-core' {
 *   interface TaskTypes {
 *     'shop/order@1.0.0': { namespace: 'shop'; name: 'order'; version: '1.0.0'; context: { order_id: string } };
 *   }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: programs add to it
export interface TaskTypes {}

/** An entry of {@link TaskTypes}. `defaults`: keys of the context that the template's `default_context` supplies. */
interface TaskType {
  namespace: string;
  name: string;
  version: string;
  context: unknown;
  defaults?: string;
}

type Fields = Record<string, unknown>;

/** Keys with a default may be left out. */
type WithDefaults<Context, Keys> = Context extends unknown
  ? { [Key in keyof Context as Key extends Keys ? never : Key]: Context[Key] } & {
      [Key in keyof Context as Key extends Keys ? Key : never]?: Context[Key];
    }
  : never;

type ContextOf<Task extends TaskType> = Task extends { defaults: infer Keys }
  ? WithDefaults<Task['context'], Keys>
  : Task['context'];

/** Required unless an empty context has the right type. */
type ContextPart<Context> = unknown extends Context
  ? { context?: Fields }
  : Record<never, never> extends Context
    ? { context?: Context }
    : { context: Context };

type Parts<Task extends TaskType> = Omit<TaskRequest, 'name' | 'namespace' | 'version' | 'context'> & {
  name: Task['name'];
} & (Task['namespace'] extends 'default' ? { namespace?: Task['namespace'] } : { namespace: Task['namespace'] }) &
  (Task['version'] extends '1.0.0' ? { version?: Task['version'] } : { version: Task['version'] }) &
  ContextPart<ContextOf<Task>>;

type PartsOf<Task> = Task extends TaskType ? Parts<Task> : never;

/**
 * The request for a task of one known template.
 *
 * @example
 * // `tasker generate types` writes this:
 * declare module 'tasker-core' {
 *   interface TaskTypes {
 *     'shop/order@1.0.0': { namespace: 'shop'; name: 'order'; version: '1.0.0'; context: { order_id: string } };
 *   }
 * }
 * const request: TaskRequestOf<'shop/order@1.0.0'> = { namespace: 'shop', name: 'order', context: { order_id: 'O-7' } };
 */
export type TaskRequestOf<Key extends keyof Types, Types = TaskTypes> = {
  [Part in keyof PartsOf<Types[Key]>]: PartsOf<Types[Key]>[Part];
};

type AnyKnown<Types> = { [Key in keyof Types]: TaskRequestOf<Key, Types> }[keyof Types];

type OrDefault<Text extends string, Default extends string> = [Text] extends [never] ? Default : Text;

type First<Wanted, Else> = [Wanted] extends [never] ? Else : Wanted;

/** Templates with the given name and namespace, else with the name. This keeps errors about the part that differs. */
type Meant<Name extends string, Namespace extends string, Version extends string, Known> = First<
  Extract<Known, { name: Name; namespace?: OrDefault<Namespace, 'default'>; version?: OrDefault<Version, '1.0.0'> }>,
  First<
    Extract<Known, { name: Name; namespace?: OrDefault<Namespace, 'default'> }>,
    First<Extract<Known, { name: Name }>, Known>
  >
>;

/** A request with a text of type `string` is not checked. Repeating the texts lets TypeScript infer them. */
type Dynamic<Name extends string, Namespace extends string, Version extends string, Request> = Request & {
  name?: Name;
  namespace?: Namespace;
  version?: Version;
};

/** The parameter of `createTask` for a request with these texts. Texts that a request leaves out are `never`. */
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
    : Meant<Name, Namespace, Version, AnyKnown<Types>>;

/**
 * The parameter of `createTasks`. The texts are a union over all requests, so each is checked against all templates.
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
    : AnyKnown<Types>)[];
