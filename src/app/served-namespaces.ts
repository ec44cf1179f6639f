import type { Engine } from '../engine/engine.ts';
import type { TaskerParts } from './tasker-parts.ts';

/** The namespaces that a worker serves: those that are configured, else those of its templates, else all that are registered. */
export class ServedNamespaces {
  readonly #configured: readonly string[] | undefined;
  readonly #found: Set<string>;
  readonly #servesAll: boolean;

  constructor({ config, templates }: Pick<TaskerParts, 'config' | 'templates'>) {
    this.#configured = config.namespaces;
    this.#found = new Set(templates.map(({ namespace }) => namespace));
    this.#servesAll = templates.length === 0 && !config.namespaces;
  }

  get names(): readonly string[] {
    return this.#configured ?? [...this.#found].sort();
  }

  /** It serves everything, and there was nothing yet when it began. */
  get isWaiting(): boolean {
    return this.#servesAll && this.#found.size === 0;
  }

  /** Answers whether one of them is new. */
  add(namespaces: readonly string[]): boolean {
    const before = this.#found.size;
    for (const namespace of namespaces) this.#found.add(namespace);
    return this.#found.size > before;
  }

  /** Adds what is registered, for a worker that serves everything. */
  async read(engine: Engine): Promise<void> {
    if (!this.#servesAll) return;
    this.add((await engine.templates.list()).map(({ namespace }) => namespace));
  }
}
