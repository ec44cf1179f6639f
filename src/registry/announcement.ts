import type { HandlerDefinition } from './handler-definition.ts';
import type { HandlerRegistry } from './handler-registry.ts';

// The list of callables that a worker announces to other workers. A registered handler is listed by its name. The
// callables of a resolver cannot be listed. Instead, `~/source/flags` is the pattern that they match, and `~@name` is
// the resolver's own name.

const BUILT_IN = new Set(['explicit_mapping', 'class_lookup']);
const NOT_A_NAME = '~';

/** Returns the list that a worker with these registries announces. */
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

/** Returns the entry for exactly this definition: its callable, or the resolver that it names. */
export function announcedAs({ callable, resolver }: Pick<HandlerDefinition, 'callable' | 'resolver'>): string {
  return resolver && !BUILT_IN.has(resolver) ? `~@${resolver}` : callable;
}

/**
 * Whether an announced list covers a definition. With `forms: false`, a pattern that matches the callable is not
 * enough.
 */
export function covers(
  announced: readonly string[],
  definition: Pick<HandlerDefinition, 'callable' | 'resolver'>,
  { forms = true }: { forms?: boolean } = {},
): boolean {
  const entry = announcedAs(definition);
  if (announced.includes(entry)) return true;
  return forms && entry === definition.callable && announced.some((other) => hasForm(definition.callable, other));
}

/** A group of announced lists, for many lookups. */
export class Announced {
  readonly #entries = new Set<string>();
  readonly #forms: string[] = [];

  add(announced: readonly string[]): void {
    for (const entry of announced) {
      if (this.#entries.has(entry)) continue;
      this.#entries.add(entry);
      if (entry.startsWith(`${NOT_A_NAME}/`)) this.#forms.push(entry);
    }
  }

  /** Whether one of the lists covers a definition. */
  covers(definition: Pick<HandlerDefinition, 'callable' | 'resolver'>): boolean {
    const entry = announcedAs(definition);
    return this.#entries.has(entry) || covers(this.#forms, definition);
  }
}

/** The handler names in an announced list, without the entries of resolvers. */
export function announcedNames(announced: readonly string[]): string[] {
  return announced.filter((entry) => !entry.startsWith(NOT_A_NAME));
}

/** The entries of resolvers in an announced list: patterns such as `/^mail/`, and names of resolvers such as `@plugins`. */
export function announcedResolvers(announced: readonly string[]): string[] {
  return announced.filter((entry) => entry.startsWith(NOT_A_NAME)).map((entry) => entry.slice(NOT_A_NAME.length));
}

function hasForm(callable: string, entry: string): boolean {
  const [, source, flags] = /^~\/(.*)\/(\w*)$/s.exec(entry) ?? [];
  if (source === undefined) return false;
  try {
    return new RegExp(source, flags).test(callable);
  } catch {
    return false; // from a worker on a newer Node, with syntax that this Node does not support
  }
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
