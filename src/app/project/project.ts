import { messageOf } from '../../errors.ts';
import { unknownPublishers } from '../../events/publishing/check-publishers.ts';
import type { Logger } from '../../logging/logger.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { TemplateListRow } from '../../store/templates.ts';
import { formatProblem } from '../../template/parse-template.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { digestOf } from '../../template/template-digest.ts';
import type { EventRegistries } from '../event-registries.ts';
import type { Tasker } from '../tasker.ts';
import { phraseNamedSteps } from './check-named-steps.ts';
import { HandlerFolders } from './handler-folders.ts';
import { readTemplates, type TemplateSource } from './load-templates.ts';

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
  /** Takes what is broken or missing. Default: `tell`. */
  warn?: (line: string) => void;
}

/** The templates and handlers of a project, to be read again while it runs: what is broken is told, the last good state stays. */
export class Project {
  readonly library: HandlerFolders;
  readonly #options: Required<Pick<ProjectOptions, 'warn'>> & ProjectOptions;
  /** By name; the text tells whether it has changed. */
  readonly #templates = new Map<string, { template: TaskTemplate; text: string }>();
  readonly #missing = { handlers: '', steps: '', publishers: '' };
  #sound = true;
  #brokenNamespaces: readonly string[] = [];

  constructor(options: ProjectOptions) {
    this.#options = { warn: options.tell, ...options };
    this.library = new HandlerFolders(options.handlers, options);
  }

  /** The last good ones. */
  get templates(): TaskTemplate[] {
    return [...this.#templates.values()].map(({ template }) => template);
  }

  /** Namespaces of broken templates, whose last registered content stays in use. */
  get brokenNamespaces(): readonly string[] {
    return this.#brokenNamespaces;
  }

  /** The templates that are in use already: only what differs from them is registered by a reload. */
  adopt(templates: readonly TaskTemplate[]): void {
    for (const template of templates) this.#isNew(template);
  }

  /** Reads the templates; answers with those that are new or have changed. */
  async readTemplates(): Promise<TaskTemplate[]> {
    const { templates: folders, environment, warn } = this.#options;
    try {
      const { templates, problems, brokenNamespaces } = await readTemplates(folders, environment);
      this.#brokenNamespaces = brokenNamespaces;
      for (const problem of problems) warn(formatProblem(problem));
      this.#tellSound(problems.every((problem) => problem.severity === 'warning'));
      return templates.filter((template) => this.#isNew(template));
    } catch (error) {
      warn(`error: ${messageOf(error)}`);
      this.#sound = false;
      return [];
    }
  }

  #tellSound(sound: boolean): void {
    if (!sound) this.#options.warn('what is broken is left out; a template that was registered before stays in use');
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
      this.#options.warn(`error: ${messageOf(error)}`);
      return false;
    }
  }

  /** Warns when no file of the folders exports a handler. */
  async warnIfEmpty(): Promise<void> {
    const why = await this.library.whyEmpty(this.templates);
    if (why !== undefined) this.#options.warn(why);
  }

  /** Answers whether all of them are sound. */
  async reloadTemplates(tasker: Tasker): Promise<boolean> {
    const changed = await this.readTemplates();
    if (changed.length === 0) return this.#sound;
    await tasker.registerTemplates(changed);
    this.#options.tell(`reloaded ${changed.map(nameOf).join(', ')}; new tasks get it`);
    await this.#tellMissing();
    return this.#sound;
  }

  /** Answers whether they are sound. */
  async reloadHandlers(tasker: Tasker): Promise<boolean> {
    const sound = await this.readHandlers();
    if (!sound) {
      this.#options.warn('the handlers from before stay in use');
      return false;
    }
    await tasker.refresh();
    await this.warnIfEmpty();
    this.#options.tell(`reloaded ${this.library.registry.handlerCount()} handlers`);
    await this.#tellMissing();
    return true;
  }

  /** Reports missing handlers, publishers, and steps that handlers name, when they have changed. */
  async #tellMissing(): Promise<void> {
    const { events } = this.#options;
    const handlers = await this.library.phraseMissing(this.templates);
    this.#tellChange('handlers', { missing: handlers, none: "every step's handler is there" });
    const steps = phraseNamedSteps(await this.library.namedStepProblems(this.templates));
    this.#tellChange('steps', { missing: steps, none: 'every step that a handler names exists' });
    const publishers = (events && unknownPublishers(events.publishers, this.templates)?.message) ?? '';
    this.#tellChange('publishers', { missing: publishers, none: "every event's publisher is there" });
  }

  #tellChange(of: 'handlers' | 'steps' | 'publishers', { missing, none }: { missing: string; none: string }): void {
    if (missing === this.#missing[of]) return;
    this.#missing[of] = missing;
    if (missing === '') this.#options.tell(none);
    else this.#options.warn(missing);
  }
}

/** `namespace/name@version` */
export function nameOf({ namespace, name, version }: TaskTemplate): string {
  return `${namespace}/${name}@${version}`;
}

/**
 * The templates that the database has with different content under the same name and version. New tasks get that
 * content.
 */
export function differingTemplates(
  templates: readonly TaskTemplate[],
  registered: readonly Pick<TemplateListRow, 'namespace' | 'name' | 'version' | 'digest'>[],
): TaskTemplate[] {
  const digests = new Map(
    registered.map(({ namespace, name, version, digest }) => [`${namespace}/${name}@${version}`, digest]),
  );
  return templates.filter((template) => {
    const digest = digests.get(nameOf(template));
    return digest !== undefined && digest !== digestOf(template);
  });
}
