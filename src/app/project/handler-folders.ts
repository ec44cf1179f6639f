import path from 'node:path';
import type { Logger } from '../../logging/logger.ts';
import { checkHandlers, type HandlerProblem, phraseProblems } from '../../registry/check-handlers.ts';
import { type DiscoveredFile, discoverHandlers } from '../../registry/discover-handlers.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import type { EventRegistries } from '../event-registries.ts';
import { checkNamedSteps, type NamedStepProblem } from './check-named-steps.ts';
import { DiscoveredSubscribers } from './discovered-subscribers.ts';

/** Maximum number of files that a message about empty folders names. */
const MOST_REASONS = 3;

/** What a load came to. */
export interface LoadedHandlers {
  count: number;
  added: string[];
  removed: string[];
}

/** Options of {@link HandlerFolders}. */
export interface HandlerFoldersOptions {
  logger: Logger;
  /** Where the handlers go. Default: a registry of their own. */
  registry?: HandlerRegistry | undefined;
  /** Where the publishers and subscribers of the folders go. Default: nowhere. */
  events?: EventRegistries | undefined;
}

/** Folders of handlers that may be read again while their registry is in use. */
export class HandlerFolders {
  /** For `createTasker`; its contents change with {@link load}. */
  readonly registry: HandlerRegistry;
  readonly #folders: readonly string[];
  readonly #logger: Logger;
  readonly #events: DiscoveredSubscribers | undefined;
  readonly #registries: EventRegistries | undefined;

  /** Names that came from the folders; others were registered by hand, and stay as they are. */
  #own: ReadonlySet<string> = new Set();
  #files: readonly DiscoveredFile[] = [];

  constructor(folders: readonly string[], { logger, registry, events }: HandlerFoldersOptions) {
    this.#folders = folders;
    this.registry = registry ?? new HandlerRegistry({ baseFolder: folders[0] });
    this.#logger = logger;
    this.#events = events && new DiscoveredSubscribers(events);
    this.#registries = events;
  }

  /**
   * Reads the folders. All or nothing: when one file is broken, the registry stays as it was.
   * @throws TaskerError `handler_invalid`, `handler_not_found`, `publisher_invalid`, `subscriber_invalid`; `conflict`
   * when the registry of publishers is frozen, and others than before are found
   */
  async load(): Promise<LoadedHandlers> {
    const found = new HandlerRegistry({ logger: this.#logger });
    this.#events?.begin();
    const also = this.#events?.take;
    const files: DiscoveredFile[] = [];
    for (const folder of this.#folders) {
      files.push(...(await discoverHandlers(folder, { registry: found, logger: this.#logger, also })).files);
    }
    this.#events?.applyPublishers();
    const before = this.#own;
    const names = found.listHandlers().filter((name) => before.has(name) || !this.registry.isRegistered(name));
    const removed = [...before].filter((name) => !found.isRegistered(name));
    for (const name of removed) this.registry.unregister(name);
    for (const name of names) this.registry.forward(name, found);
    this.#own = new Set(names);
    this.#files = files;
    await this.#events?.applySubscribers();
    return { count: names.length, added: names.filter((name) => !before.has(name)), removed };
  }

  /** Takes out what came from the folders, at the end of their worker: what is read at the next start is not hidden by it. */
  async leave(): Promise<void> {
    for (const name of this.#own) this.registry.unregister(name);
    this.#own = new Set();
    await this.#events?.leave();
  }

  /** What these templates ask for and nothing here can give. */
  problems(templates: readonly TaskTemplate[]): Promise<HandlerProblem[]> {
    return checkHandlers(this.registry, templates);
  }

  /** Steps that the handlers name in their options and these templates do not have. */
  namedStepProblems(templates: readonly TaskTemplate[]): Promise<NamedStepProblem[]> {
    return checkNamedSteps(this.registry, templates);
  }

  /** As {@link problems}, in one line; empty when there are none. */
  async phraseMissing(templates: readonly TaskTemplate[]): Promise<string> {
    return phraseProblems(await this.problems(templates), 'no handler yet for');
  }
  /**
   * Returns why a worker of these folders could not run anything: no file exports a handler, and there is no other
   * source of handlers. Undefined when there is a handler or a subscriber.
   */
  async whyEmpty(templates: readonly TaskTemplate[]): Promise<string | undefined> {
    if (this.#folders.length === 0 || this.registry.handlerCount() > 0) return undefined;
    if ((this.#registries?.subscribers.listSubscribers().length ?? 0) > 0) return undefined;
    const steps = templates.flatMap((template) => template.steps).length;
    const missing = (await this.problems(templates)).flatMap((problem) => problem.steps).length;
    if (missing < steps) return undefined; // a resolver finds it, or the callable names a file
    const folders = this.#folders.map((folder) => path.resolve(folder)).join(', ');
    if (this.#files.length === 0) {
      return `no file in ${folders} exports a handler: there is no .ts or .js file; add one, or name another folder with --handlers`;
    }
    const reasons = this.#files.slice(0, MOST_REASONS).map(({ file, reason }) => `${path.basename(file)}: ${reason}`);
    const more = this.#files.length > MOST_REASONS ? `; and ${this.#files.length - MOST_REASONS} more files` : '';
    return `no file in ${folders} exports a handler (${reasons.join('; ')}${more}); export what defineHandler returns, or a class with a handlerName`;
  }
}
