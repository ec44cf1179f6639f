/** Resolvers that find handlers by their callables, so the announced entry of a handler is its callable. */
export const BUILT_IN: ReadonlySet<string> = new Set(['explicit_mapping', 'class_lookup']);
/** Entries that begin with this are not names of handlers: `~/source/flags` is a pattern, `~@name` a resolver. */
export const NOT_A_NAME = '~';

/** The handler of a step: its callable, and the resolver that its template names. */
export interface WantedHandler {
  callable: string;
  resolver?: string | null;
}

/** The entry for exactly this definition: its callable, or the resolver that it names. */
export function announcedAs({ callable, resolver }: WantedHandler): string {
  return resolver && !BUILT_IN.has(resolver) ? `~@${resolver}` : callable;
}

/**
 * Returns whether an announced list covers a definition. With `forms: false`, a pattern that matches the callable is
 * not enough.
 */
export function covers(
  announced: readonly string[],
  definition: WantedHandler,
  { forms = true }: { forms?: boolean } = {},
): boolean {
  const entry = announcedAs(definition);
  if (announced.includes(entry)) return true;
  return forms && entry === definition.callable && announced.some((other) => hasForm(definition.callable, other));
}

/**
 * How a worker can run a handler, by what it announces. `has`: it lists the handler by name. `may`: it only announces a
 * resolver, which may find the handler. `lacks`: neither.
 */
export type Ability = 'has' | 'may' | 'lacks';

/** Returns how a worker that announces this list can run a handler. */
export function abilityOf(announced: readonly string[], definition: WantedHandler): Ability {
  const entry = announcedAs(definition);
  if (announced.includes(entry)) return entry === definition.callable ? 'has' : 'may';
  return covers(announced, definition) ? 'may' : 'lacks';
}

/** The announcement of a live worker about one handler. */
export interface Candidate {
  /** The same for all incarnations of a worker. */
  instance: string;
  ability: Ability;
}

/**
 * Returns whether one of the workers should be given the steps of a handler. A worker that only announces a resolver is
 * given them until it has `tried`.
 */
export function isServed(workers: readonly Candidate[], tried: readonly string[]): boolean {
  return workers.some(({ instance, ability }) => ability === 'has' || (ability === 'may' && !tried.includes(instance)));
}

/** Several announced lists, for many lookups. */
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

  /** Returns whether one of the lists covers a definition. */
  covers(definition: WantedHandler): boolean {
    const entry = announcedAs(definition);
    return this.#entries.has(entry) || covers(this.#forms, definition);
  }
}

function hasForm(callable: string, entry: string): boolean {
  const [, source, flags] = /^~\/(.*)\/(\w*)$/s.exec(entry) ?? [];
  if (source === undefined) return false;
  try {
    return new RegExp(source, flags).test(callable);
  } catch {
    return false; // the pattern may come from a newer Node, with syntax that this Node does not support
  }
}
