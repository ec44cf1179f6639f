import { statSync } from 'node:fs';
import path from 'node:path';
import { TaskerError } from '../../errors.ts';
import type { ExecutableHandler, StepHandlerClass } from '../../handlers/step-handler.ts';
import type { Logger } from '../../logging/logger.ts';
import { checkHandlers, type HandlerProblem, phraseProblems } from '../../registry/check-handlers.ts';
import { type DiscoveredFile, discoverHandlers } from '../../registry/discover-handlers.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { digestOf } from '../../template/template-digest.ts';
import { withUndoSteps } from '../../template/undo-steps.ts';
import type { AnyWorkflow } from '../../workflow/workflow.ts';
import type { EventRegistries } from '../event-registries.ts';
import { checkNamedSteps, type NamedStepProblem } from './check-named-steps.ts';
import { DiscoveredSubscribers } from './discovered-subscribers.ts';

/** Maximum number of files that a message about empty folders names. */
const MAX_REASONS = 3;

/** The outcome of a load. */
export interface LoadedHandlers {
  count: number;
  added: string[];
  removed: string[];
}

/** Options of {@link HandlerFolders}. */
export interface HandlerFoldersOptions {
  logger: Logger;
  /** The registry for handlers. Default: a new one. */
  registry?: HandlerRegistry | undefined;
  /** The registries for the publishers and subscribers of the folders. Default: they are ignored. */
  events?: EventRegistries | undefined;
}

/** Loads handler folders into a registry, and reloads them while the registry is in use. */
export class HandlerFolders {
  /** The registry for `createTasker`. {@link load} changes its contents. */
  readonly registry: HandlerRegistry;
  readonly #folders: readonly string[];
  readonly #logger: Logger;
  readonly #events: DiscoveredSubscribers | undefined;
  readonly #registries: EventRegistries | undefined;

  /** Names of the handlers from the folders. Other handlers were registered by hand, and are not changed. */
  #own: ReadonlySet<string> = new Set();
  #files: readonly DiscoveredFile[] = [];
  /** The workflows that the files export. */
  workflows: readonly AnyWorkflow[] = [];

  constructor(folders: readonly string[], { logger, registry, events }: HandlerFoldersOptions) {
    this.#folders = folders;
    this.registry = registry ?? new HandlerRegistry({ baseFolder: folders[0] ?? null });
    this.#logger = logger;
    this.#events = events && new DiscoveredSubscribers(events);
    this.#registries = events;
  }

  /**
   * Loads the folders, all or nothing: if a file is broken, the registry does not change.
   * @throws TaskerError `handler_invalid`, `handler_not_found`, `publisher_invalid`, `subscriber_invalid`; `conflict`
   * if the publisher registry is frozen and its publishers would change
   */
  async load(): Promise<LoadedHandlers> {
    const found = new HandlerRegistry({ logger: this.#logger, baseFolder: null });
    this.#events?.begin();
    const also = this.#events?.take;
    const files: DiscoveredFile[] = [];
    const workflows: AnyWorkflow[] = [];
    for (const folder of this.#folders) {
      const discovered = await discoverHandlers(folder, { registry: found, logger: this.#logger, also });
      files.push(...discovered.files);
      workflows.push(...(discovered.workflows ?? []));
    }
    checkTemplates(workflows);
    this.#events?.applyPublishers();
    const before = this.#own;
    const names = found.listHandlers().filter((name) => before.has(name) || !this.registry.isRegistered(name));
    const removed = [...before].filter((name) => !found.isRegistered(name));
    for (const name of removed) this.registry.unregister(name);
    for (const name of names) this.registry.forward(name, found);
    this.#own = new Set(names);
    this.#files = files;
    this.workflows = workflows;
    await this.#events?.applySubscribers();
    return { count: names.length, added: names.filter((name) => !before.has(name)), removed };
  }

  /**
   * Removes the handlers of the folders when their worker stops, so that they do not hide the handlers of the next run.
   */
  async leave(): Promise<void> {
    for (const name of this.#own) this.registry.unregister(name);
    this.#own = new Set();
    await this.#events?.leave();
  }

  /** Returns the handlers that these templates need and the registry does not have. */
  problems(templates: readonly TaskTemplate[]): Promise<HandlerProblem[]> {
    return checkHandlers(this.registry, templates);
  }

  /** Returns the steps that the handlers name in their options, but that these templates do not have. */
  namedStepProblems(templates: readonly TaskTemplate[]): Promise<NamedStepProblem[]> {
    return checkNamedSteps(this.registry, templates);
  }

  /** Returns {@link problems} in one line, or an empty string if there are none. */
  async phraseMissing(templates: readonly TaskTemplate[]): Promise<string> {
    return phraseProblems(await this.problems(templates), 'no handler yet for');
  }

  /**
   * Returns the reason why a worker of these folders could not run anything: no file exports a handler, and handlers
   * have no other source. Undefined if the worker has a handler or a subscriber.
   */
  async whyEmpty(templates: readonly TaskTemplate[]): Promise<string | undefined> {
    if (this.#folders.length === 0 || this.registry.handlerCount() > 0) return undefined;
    if ((this.#registries?.subscribers.listSubscribers().length ?? 0) > 0) return undefined;
    const steps = templates.flatMap((template) => withUndoSteps(template.steps)).length;
    const missing = (await this.problems(templates)).flatMap((problem) => problem.steps).length;
    if (missing < steps) return undefined; // a resolver finds it, or the callable names a file
    const folders = this.#folders.map((folder) => path.resolve(folder)).join(', ');
    if (this.#files.length === 0) {
      return `no file in ${folders} exports a handler: no .ts or .js file found; add one, or name another folder with --handlers`;
    }
    const reasons = this.#files.slice(0, MAX_REASONS).map(({ file, reason }) => `${path.basename(file)}: ${reason}`);
    const more = this.#files.length > MAX_REASONS ? `; and ${this.#files.length - MAX_REASONS} more files` : '';
    return `no file in ${folders} exports a handler (${reasons.join('; ')}${more}); export what defineHandler returns, or a class with a handlerName`;
  }
}

/**
 * The `handlers` option of `createTasker`: a folder or package, a class, an instance, a `define…()` value, a registry, or a
 * list.
 */
export type HandlerSource =
  | string
  | StepHandlerClass
  | ExecutableHandler
  | HandlerRegistry
  | readonly (string | StepHandlerClass | ExecutableHandler)[];

/** Options of {@link loadHandlers}. */
export interface LoadHandlersOptions {
  logger: Logger;
  /** Collects the publishers and subscribers found in folders and packages. */
  found: DiscoveredSubscribers;
  /** The registry for handlers. Default: a new one. */
  registry?: HandlerRegistry | undefined;
}

/**
 * Adds handlers to a registry. If the source is a registry, it is used directly, so that handlers can be added later.
 */
export async function loadHandlers(
  source: HandlerSource,
  { logger, found, registry: given }: LoadHandlersOptions,
): Promise<{ registry: HandlerRegistry; workflows: AnyWorkflow[] }> {
  const workflows: AnyWorkflow[] = [];
  if (source instanceof HandlerRegistry) return { registry: source, workflows };
  const sources = Array.isArray(source) ? source : [source];
  const folder = sources.find((one) => typeof one === 'string' && isFolder(one)) as string | undefined;
  const registry = given ?? new HandlerRegistry({ logger, baseFolder: folder ?? null });
  for (const one of sources) {
    if (typeof one !== 'string') registry.register(one as StepHandlerClass);
    else workflows.push(...((await discoverHandlers(one, { registry, logger, also: found.take })).workflows ?? []));
  }
  checkTemplates(workflows);
  await found.apply();
  return { registry, workflows };
}

/** @throws TaskerError `template_invalid` if a workflow has a mistake, or two workflows have one name and version */
function checkTemplates(workflows: readonly AnyWorkflow[]): void {
  const known = new Map<string, AnyWorkflow>();
  for (const one of workflows) {
    const { namespace, name, version, template } = one;
    const key = `${namespace}/${name}@${version}`;
    const other = known.get(key);
    if (other && other !== one && digestOf(other.template) !== digestOf(template)) {
      throw new TaskerError(
        'template_invalid',
        `two exports are the workflow ${key}; export one of them, or change its version`,
      );
    }
    known.set(key, one);
  }
}

function isFolder(source: string): boolean {
  return statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
