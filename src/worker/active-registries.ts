import { announcementOf } from '../registry/announcement.ts';
import type { HandlerDefinition } from '../registry/handler-definition.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';

/** The registries that a worker's steps run with: its own, or those of the subscribers of its channel. */
export class ActiveRegistries {
  readonly #own: HandlerRegistry;
  #all: readonly HandlerRegistry[];

  constructor(own: HandlerRegistry) {
    this.#own = own;
    this.#all = [own];
  }

  /** Replaces them by those of subscribers, or by its own when there are none; returns whether they changed. */
  replace(ofSubscribers: readonly HandlerRegistry[]): boolean {
    const before = this.#all;
    this.#all = ofSubscribers.length > 0 ? ofSubscribers : [this.#own];
    return this.#all.length !== before.length || this.#all.some((one, i) => one !== before[i]);
  }

  /** What the worker announces to others. */
  get announcement(): string[] {
    return announcementOf(...this.#all);
  }

  refresh(): void {
    for (const registry of this.#all) registry.refresh();
  }

  /** Whether a handler is here, or a resolver is to be asked for it. */
  mayHave(handler: HandlerDefinition): boolean {
    return this.#all.some((one) => !one.lacks(handler));
  }

  /** The registry that knows most of a handler. */
  of(handler: HandlerDefinition): HandlerRegistry {
    return this.#all.find((one) => one.canResolve(handler)) ?? this.#all.at(-1)!;
  }
}
