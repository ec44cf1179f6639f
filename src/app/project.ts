import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { formatProblem } from '../template/parse-template.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import type { EventRegistries } from './event-registries.ts';
import { HandlerFolders } from './handler-folders.ts';
import { readTemplates, type TemplateSource } from './load-templates.ts';
import type { Tasker } from './tasker.ts';

/** What a {@link Project} is made from. */
export interface ProjectOptions {
  templates: TemplateSource;
  handlers: readonly string[];
  /** Which overrides of the templates apply. */
  environment: string;
  logger: Logger;
  /** Where the handlers of the folders go; default: a registry of their own. */
  registry?: HandlerRegistry;
  /** Where the publishers and subscribers of the folders go. */
  events?: EventRegistries;
  /** Takes a line for the person who develops. */
  tell: (line: string) => void;
}

/** The templates and handlers of a project, to be read again while it runs: what is broken is told, the last good state stays. */
export class Project {
  readonly library: HandlerFolders;
  readonly #options: ProjectOptions;
  /** By name; the text tells whether it has changed. */
  readonly #templates = new Map<string, { template: TaskTemplate; text: string }>();
  #missing = '';
  #sound = true;

  constructor(options: ProjectOptions) {
    this.#options = options;
    this.library = new HandlerFolders(options.handlers, options);
  }

  /** The last good ones. */
  get templates(): TaskTemplate[] {
    return [...this.#templates.values()].map(({ template }) => template);
  }

  /** The templates that are in use already: only what differs from them is registered by a reload. */
  adopt(templates: readonly TaskTemplate[]): void {
    for (const template of templates) this.#isNew(template);
  }

  /** Reads the templates; answers with those that are new or have changed. */
  async readTemplates(): Promise<TaskTemplate[]> {
    const { templates: folders, environment, tell } = this.#options;
    try {
      const { templates, problems } = await readTemplates(folders, environment);
      for (const problem of problems) tell(formatProblem(problem));
      this.#tellSound(problems.every((problem) => problem.severity === 'warning'));
      return templates.filter((template) => this.#isNew(template));
    } catch (error) {
      tell(`error: ${messageOf(error)}`);
      return [];
    }
  }

  #tellSound(sound: boolean): void {
    if (!sound) this.#options.tell('what is broken is left out; a template that was registered before stays in use');
    else if (!this.#sound) this.#options.tell('the templates are sound again');
    this.#sound = sound;
  }

  #isNew(template: TaskTemplate): boolean {
    const key = nameOf(template);
    const text = JSON.stringify(template);
    if (this.#templates.get(key)?.text === text) return false;
    this.#templates.set(key, { template, text });
    return true;
  }

  /** Reads the handlers; false when they are broken and those from before stay. */
  async readHandlers(): Promise<boolean> {
    try {
      await this.library.load();
      return true;
    } catch (error) {
      this.#options.tell(`error: ${messageOf(error)}`);
      return false;
    }
  }

  async reloadTemplates(tasker: Tasker): Promise<void> {
    const changed = await this.readTemplates();
    if (changed.length === 0) return;
    await tasker.registerTemplates(changed);
    this.#options.tell(`reloaded ${changed.map(nameOf).join(', ')}; new tasks get it`);
    await this.tellMissing();
  }

  async reloadHandlers(tasker: Tasker): Promise<void> {
    if (!(await this.readHandlers())) return this.#options.tell('the handlers from before stay in use');
    await tasker.refresh();
    this.#options.tell(`reloaded ${this.library.registry.handlerCount()} handlers`);
    await this.tellMissing();
  }

  /** Says which handlers are missing, when that has changed. */
  async tellMissing(): Promise<void> {
    const missing = await this.library.phraseMissing(this.templates);
    if (missing === this.#missing) return;
    this.#missing = missing;
    this.#options.tell(missing === '' ? "every step's handler is there" : missing);
  }
}

/** `namespace/name@version` */
export function nameOf({ namespace, name, version }: TaskTemplate): string {
  return `${namespace}/${name}@${version}`;
}
