import { messageOf } from '../../errors.ts';
import { unknownPublishers } from '../../events/publishing/check-publishers.ts';
import type { Logger } from '../../logging/logger.ts';
import { counted } from '../../model/counted.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { TemplateListRow } from '../../store/templates.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { digestOf } from '../../template/template-digest.ts';
import { formatProblem } from '../../template/template-problem.ts';
import type { EventRegistries } from '../event-registries.ts';
import type { Tasker } from '../tasker.ts';
import { phraseNamedSteps } from './check-named-steps.ts';
import { HandlerFolders } from './handler-folders.ts';
import { readTemplates, type TemplateSource } from './load-templates.ts';
import { workflowWarnings } from './with-workflows.ts';

/** Options of a {@link Project}. */
export interface ProjectOptions {
  templates: TemplateSource;
  handlers: readonly string[];
  /** Selects the overrides of the templates. */
  environment: string;
  logger: Logger;
  /** The registry for handlers. Default: a new one. */
  registry?: HandlerRegistry;
  /** The registries for the publishers and subscribers of the folders. Default: they are ignored. */
  events?: EventRegistries;
  /** Shows a line to the developer. */
  tell: (line: string) => void;
  /** Reports broken and missing parts. Default: `tell`. */
  warn?: (line: string) => void;
}

/** Reloads the templates and handlers of a project while it runs. Reports broken files, and keeps their last valid content. */
export class Project {
  readonly library: HandlerFolders;
  readonly #options: Required<Pick<ProjectOptions, 'warn'>> & ProjectOptions;
  /** Templates by name, with their JSON text to detect changes. */
  readonly #templates = new Map<string, { template: TaskTemplate; text: string }>();
  readonly #missing = { handlers: '', steps: '', publishers: '' };
  #valid = true;
  #brokenNamespaces: readonly string[] = [];

  constructor(options: ProjectOptions) {
    this.#options = { warn: options.tell, ...options };
    this.library = new HandlerFolders(options.handlers, options);
  }

  /** The last valid version of each template. */
  get templates(): TaskTemplate[] {
    return [...this.#templates.values()].map(({ template }) => template);
  }

  /** Namespaces of broken templates, whose last registered content stays in use. */
  get brokenNamespaces(): readonly string[] {
    return this.#brokenNamespaces;
  }

  /** Sets the templates that are already in use. A reload registers only templates that differ from them. */
  adopt(templates: readonly TaskTemplate[]): void {
    for (const template of templates) this.#isNew(template);
  }

  /**
   * Reads the templates, with those of the workflows that the handler folders exported when they were read. Returns new
   * and changed templates.
   */
  async readTemplates(): Promise<TaskTemplate[]> {
    const { templates: folders, environment, warn } = this.#options;
    try {
      const { templates, problems, brokenNamespaces } = await readTemplates(folders, environment);
      this.#brokenNamespaces = brokenNamespaces;
      const { workflows } = this.library;
      const all = [...templates, ...workflows.map(({ template }) => template)];
      for (const line of [...problems.map(formatProblem), ...workflowWarnings(workflows, all)]) warn(line);
      this.#tellValid(problems.every((problem) => problem.severity === 'warning'));
      return all.filter((template) => this.#isNew(template));
    } catch (error) {
      warn(`error: ${messageOf(error)}`);
      this.#valid = false;
      return [];
    }
  }

  #tellValid(valid: boolean): void {
    if (!valid) this.#options.warn('broken templates are skipped; their last registered content stays in use');
    else if (!this.#valid) this.#options.tell('the templates are valid again');
    this.#valid = valid;
  }

  #isNew(template: TaskTemplate): boolean {
    const key = nameOf(template);
    const text = JSON.stringify(template);
    if (this.#templates.get(key)?.text === text) return false;
    this.#templates.set(key, { template, text });
    return true;
  }

  /** Reads the handlers. Returns false if a file is broken; the earlier handlers then stay. */
  async readHandlers(): Promise<boolean> {
    try {
      await this.library.load();
      return true;
    } catch (error) {
      this.#options.warn(`error: ${messageOf(error)}`);
      return false;
    }
  }

  /** Warns if no file in the folders exports a handler. */
  async warnIfEmpty(): Promise<void> {
    const why = await this.library.whyEmpty(this.templates);
    if (why !== undefined) this.#options.warn(why);
  }

  /** Registers changed templates. Returns whether all templates are valid. */
  async reloadTemplates(tasker: Tasker): Promise<boolean> {
    const changed = await this.readTemplates();
    if (changed.length === 0) return this.#valid;
    await tasker.registerTemplates(changed);
    this.#options.tell(`reloaded ${changed.map(nameOf).join(', ')}; new tasks use the new content`);
    await this.#tellMissing();
    return this.#valid;
  }

  /** Reloads the handlers. Returns whether all files could be loaded. */
  async reloadHandlers(tasker: Tasker): Promise<boolean> {
    if (!(await this.readHandlers())) {
      this.#options.warn('the earlier handlers stay in use');
      return false;
    }
    await tasker.refresh();
    await this.warnIfEmpty();
    this.#options.tell(`reloaded ${counted(this.library.registry.handlerCount(), 'handler')}`);
    if (this.library.workflows.length > 0) await this.reloadTemplates(tasker);
    await this.#tellMissing();
    return true;
  }

  /** Reports changes in the missing parts: handlers, publishers, and steps that handlers name. */
  async #tellMissing(): Promise<void> {
    const { events } = this.#options;
    const handlers = await this.library.phraseMissing(this.templates);
    this.#tellChange('handlers', { missing: handlers, none: 'every step has a handler' });
    const steps = phraseNamedSteps(await this.library.namedStepProblems(this.templates));
    this.#tellChange('steps', { missing: steps, none: 'every step that a handler names exists' });
    const publishers = (events && unknownPublishers(events.publishers, this.templates)?.message) ?? '';
    this.#tellChange('publishers', { missing: publishers, none: 'every event has its publisher' });
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
 * Returns the templates whose content in the database differs under the same name and version. New tasks use the content
 * in the database.
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
