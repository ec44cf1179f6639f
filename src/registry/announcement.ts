import { BUILT_IN, NOT_A_NAME } from '../model/announced.ts';
import { isWaitCallable } from '../model/waits.ts';
import type { HandlerRegistry } from './handler-registry.ts';

// The list of callables that a worker announces to other workers. A registered handler is listed by its name. The
// callables of a resolver cannot be listed. Instead, the list has the pattern that they match (`~/source/flags`) or the
// resolver's name (`~@name`).

/** The list that a worker with these registries announces. */
export function announcementOf(...registries: HandlerRegistry[]): string[] {
  const names = new Set(registries.flatMap((one) => [...one.listHandlers(), ...one.chain.learned]));
  const resolvers = registries.flatMap((one) => one.chain.resolvers);
  const forms = resolvers.flatMap(({ name, pattern, prefix }) => {
    const form = pattern ?? (prefix === undefined ? undefined : new RegExp(`^${escaped(prefix)}`));
    return [...(BUILT_IN.has(name) ? [] : [`~@${name}`]), ...(form ? [`~${String(form)}`] : [])];
  });
  // The store looks for patterns only among the first 64 entries.
  return [...[...new Set(forms)].slice(0, 64), ...[...names].sort()];
}

/** The names of the user's handlers in an announced list, without the entries of resolvers. */
export function announcedNames(announced: readonly string[]): string[] {
  return announced.filter((entry) => !entry.startsWith(NOT_A_NAME) && !isWaitCallable(entry));
}

/** The entries of resolvers in an announced list: patterns such as `/^mail/`, and names of resolvers such as `@plugins`. */
export function announcedResolvers(announced: readonly string[]): string[] {
  return announced.filter((entry) => entry.startsWith(NOT_A_NAME)).map((entry) => entry.slice(NOT_A_NAME.length));
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
