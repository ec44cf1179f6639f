import type { MissingHandlerRow, NeededHandler } from '../../store/missing-handlers.ts';

/** The handlers that no live worker has, and whose steps no claim reads until a worker announces them. */
export class WithheldHandlers {
  readonly #since = new Map<string, string>();

  constructor(missing: readonly MissingHandlerRow[]) {
    for (const row of missing) if (row.state === 'withheld') this.#since.set(keyOf(row), row.since);
  }

  has(handler: NeededHandler): boolean {
    return this.#since.has(keyOf(handler));
  }

  /** Returns the ISO time at which a worker first missed the handler. Undefined if it is not withheld. */
  since(handler: NeededHandler): string | undefined {
    return this.#since.get(keyOf(handler));
  }
}

function keyOf({ namespace, callable, resolver }: NeededHandler): string {
  return JSON.stringify([namespace, callable, resolver]);
}
