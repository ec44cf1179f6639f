import type { HandlerDefinition } from './handler-definition.ts';
import type { HandlerRegistry } from './handler-registry.ts';

// What a worker tells others that it can run. A name stands for itself. What only resolvers know can't be listed:
// `~/source/flags` tells the form of their callables, and `~@name` the name that templates may call them by.

const BUILT_IN = new Set(['explicit_mapping', 'class_lookup']);
const NOT_A_NAME = '~';

/** What the worker of these registries announces. */
export function announcementOf(...registries: HandlerRegistry[]): string[] {
  const names = new Set(registries.flatMap((one) => [...one.listHandlers(), ...one.chain.learned]));
  const resolvers = registries.flatMap((one) => one.chain.resolvers);
  const forms = resolvers.flatMap(({ name, pattern, prefix }) => {
    const form = pattern ?? (prefix === undefined ? undefined : new RegExp(`^${escaped(prefix)}`));
    return [...(BUILT_IN.has(name) ? [] : [`~@${name}`]), ...(form ? [`~${String(form)}`] : [])];
  });
  // The store looks for forms among the first 64 entries.
  return [...[...new Set(forms)].slice(0, 64), ...[...names].sort()];
}

/** The entry that says outright that a worker has it: the callable, or the resolver that the template asks for. */
export function announcedAs({ callable, resolver }: HandlerDefinition): string {
  return resolver && !BUILT_IN.has(resolver) ? `~@${resolver}` : callable;
}

/** Whether what a worker announced covers a definition; `forms: false`: outright, not by the form of its name only. */
export function covers(
  announced: readonly string[],
  definition: HandlerDefinition,
  { forms = true }: { forms?: boolean } = {},
): boolean {
  const entry = announcedAs(definition);
  if (announced.includes(entry)) return true;
  return forms && entry === definition.callable && announced.some((other) => hasForm(definition.callable, other));
}

/** The names among what a worker announced. */
export function announcedNames(announced: readonly string[]): string[] {
  return announced.filter((entry) => !entry.startsWith(NOT_A_NAME));
}

function hasForm(callable: string, entry: string): boolean {
  const [, source, flags] = /^~\/(.*)\/(\w*)$/s.exec(entry) ?? [];
  if (source === undefined) return false;
  try {
    return new RegExp(source, flags).test(callable);
  } catch {
    return false; // written by a worker on a newer Node; that one knows what it means
  }
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
