import { type Fields, isFields } from '../model/json.ts';

/**
 * Returns the arguments of a helper as one object. Callers may pass one object, all arguments by position, or the first
 * arguments by position and the others in an object. The index of that object is at most `restAt`.
 */
export function argumentsOf<T extends object>(
  args: readonly unknown[],
  names: readonly (keyof T & string)[],
  restAt = 0,
): T {
  const at = args.slice(0, restAt + 1).findIndex(isFields);
  if (at === 0) return args[0] as T;
  const byPosition = names.slice(0, at < 0 ? names.length : at).map((name, index) => [name, args[index]]);
  return { ...(args[at] as Partial<T> | undefined), ...Object.fromEntries(byPosition) } as T;
}

/** Like {@link argumentsOf}, for a helper that also accepts metadata after the object. */
export function argumentsWithMetadata<T extends { metadata?: Fields }>(
  args: readonly unknown[],
  names: readonly (keyof T & string)[],
): T {
  const given = argumentsOf<T>(args, names);
  const more = args[1] as Fields | undefined;
  return given === args[0] ? { ...given, metadata: { ...given.metadata, ...more } } : given;
}
