/**
 * The templates of a program, by `namespace/name@version`. `tasker generate types` writes a file that adds these
 * templates. With that file in the program, `createTask`, `createTasks` and the test kit's `run` check name, namespace,
 * version and context. While this interface is empty, they accept any {@link TaskRequest}.
 *
 * @example
 * declare module 'tasker-core' {
 *   interface TaskTypes {
 *     'shop/order@1.1.0': { namespace: 'shop'; name: 'order'; version: '1.1.0'; active: true; context: { order_id: string } };
 *   }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: programs add to it
export interface TaskTypes {}

/**
 * An entry of {@link TaskTypes}. `active`: whether a request without a version means this version. `defaults`: keys
 * of the context that the template's `default_context` supplies.
 */
interface TaskType {
  namespace: string;
  name: string;
  version: string;
  active: boolean;
  context: unknown;
  defaults?: string;
}

type Fields = Record<string, unknown>;

/** Makes the keys with a default optional. */
type WithDefaults<Context, Keys> = Context extends unknown
  ? { [Key in keyof Context as Key extends Keys ? never : Key]: Context[Key] } & {
      [Key in keyof Context as Key extends Keys ? Key : never]?: Context[Key];
    }
  : never;

type ContextOf<Task extends TaskType> = Task extends { defaults: infer Keys }
  ? WithDefaults<Task['context'], Keys>
  : Task['context'];

/** The context, required unless an empty one has the right type. */
type ContextPart<Context> = unknown extends Context
  ? { context?: Fields }
  : Record<never, never> extends Context
    ? { context?: Context }
    : { context: Context };

type Parts<Task extends TaskType, Base> = Omit<Base, 'name' | 'namespace' | 'version' | 'context'> & {
  name: Task['name'];
} & (Task['namespace'] extends 'default' ? { namespace?: Task['namespace'] } : { namespace: Task['namespace'] }) &
  (Task['active'] extends true ? { version?: Task['version'] } : { version: Task['version'] }) &
  ContextPart<ContextOf<Task>>;

type PartsOf<Task, Base> = Task extends TaskType ? Parts<Task, Base> : never;

/** A request for a task of one known template, with the other fields of `Base`. */
export type KnownRequest<Key extends keyof Types, Types, Base> = {
  [Part in keyof PartsOf<Types[Key], Base>]: PartsOf<Types[Key], Base>[Part];
};

/** A request for a task of any known template. */
export type AnyKnown<Types, Base> = { [Key in keyof Types]: KnownRequest<Key, Types, Base> }[keyof Types];

type OrDefault<Text extends string, Default extends string> = [Text] extends [never] ? Default : Text;

type First<Wanted, Else> = [Wanted] extends [never] ? Else : Wanted;

/** The requests of a version. Without a version: the requests that may omit it. */
type OfVersion<Known, Version extends string> = [Version] extends [never]
  ? Known extends { version: string }
    ? never
    : Known
  : Extract<Known, { version?: Version }>;

/**
 * The templates with the given name and namespace. If no template has both, the templates with the name, so that a
 * compile error points to the part that differs.
 */
export type Meant<Name extends string, Namespace extends string, Version extends string, Known> = First<
  OfVersion<Extract<Known, { name: Name; namespace?: OrDefault<Namespace, 'default'> }>, Version>,
  First<
    Extract<Known, { name: Name; namespace?: OrDefault<Namespace, 'default'> }>,
    First<Extract<Known, { name: Name }>, Known>
  >
>;

/**
 * An unchecked request, for a name, namespace or version of type `string`. Repeats these members so that TypeScript
 * infers their types.
 */
export type Dynamic<Name extends string, Namespace extends string, Version extends string, Request> = Request & {
  name?: Name;
  namespace?: Namespace;
  version?: Version;
};
