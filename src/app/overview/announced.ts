import { Announced } from '../../model/announced.ts';

/** The part of a worker that determines which steps it can run. */
export interface Announcing {
  namespaces: readonly string[];
  callables: readonly string[];
}

/** The handlers that several workers announce, by namespace. */
export class AnnouncedByNamespace {
  readonly #namespaces = new Map<string, Announced>();

  constructor(workers: readonly Announcing[]) {
    for (const { namespaces, callables } of workers) {
      for (const namespace of namespaces) {
        const announced = this.#namespaces.get(namespace) ?? new Announced();
        announced.add(callables);
        this.#namespaces.set(namespace, announced);
      }
    }
  }

  /** Returns whether one of the workers serves the namespace. */
  serves(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  /** Returns whether one of the workers that serve the namespace has the handler. */
  covers(namespace: string, handler: { callable: string; resolver: string | null }): boolean {
    return this.#namespaces.get(namespace)?.covers(handler) ?? false;
  }
}
