import { statSync } from 'node:fs';
import { databaseExists } from '../../app/project/database-admin.ts';
import { loadTemplates, readTemplates, similarTemplate } from '../../app/project/load-templates.ts';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { highestVersion } from '../../template/version-order.ts';
import type { GlobalOptions } from '../options.ts';
import { existingFolders } from '../project/folders.ts';
import { chosenServer } from '../remote/choose-server.ts';
import { here, inFolder } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';

/** Finds a template by its file, by its name in the project's folders, or in the database, in this order. */
export async function findTemplate(wanted: string, options: GlobalOptions): Promise<TaskTemplate> {
  const { environment } = loadConfig(here()).config;
  if (statSync(inFolder(wanted), { throwIfNoEntry: false })?.isFile()) {
    return (await loadTemplates(wanted, environment, here())).templates[0]!;
  }
  const reference = readReference(wanted);
  const { templates } = await readTemplates(existingFolders(options), environment, here());
  const own = meantBy(templates, reference);
  if (own) return own;
  if (!(await chosenServer(options)) && !databaseExists({ ...options, ...here() })) {
    throw new TaskerError('template_not_found', `template ${wanted} not found in this project; ${known(templates)}`);
  }
  return withTasker(options, {}, async (tasker) => {
    const registered = await tasker.engine.templates.list();
    const row = meantBy(registered, reference);
    const { namespace = 'default', name, version } = row ?? reference;
    if (version !== undefined) return (await tasker.engine.templates.newest(namespace, name, version)).template;
    const named = registered.map((one) => ({ ...one, name: `${one.namespace}/${one.name}` }));
    const similar = similarTemplate(`${namespace}/${name}`, named);
    const hint = similar
      ? `did you mean ${similar.name}@${similar.version}?`
      : '`npx tasker template list` lists the templates';
    throw new TaskerError('template_not_found', `template ${wanted} not found; ${hint}`);
  });
}

function known(templates: readonly TaskTemplate[]): string {
  if (templates.length === 0) return '`npx tasker init` creates a first template';
  return `the project has ${templates.map((one) => `${one.namespace}/${one.name}@${one.version}`).join(', ')}`;
}

/** The name of a template as given to a command. Undefined parts match anything. */
export interface TemplateReference {
  name: string;
  namespace: string | undefined;
  version: string | undefined;
}

/** Parses `name`, `namespace/name`, `name@version` or `namespace/name@version`. */
export function readReference(text: string): TemplateReference {
  const at = text.lastIndexOf('@');
  const [path, version] = at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text, undefined];
  const slash = path.indexOf('/');
  return {
    name: slash > 0 ? path.slice(slash + 1) : path,
    namespace: slash > 0 ? path.slice(0, slash) : undefined,
    version,
  };
}

/** The full name of a template. */
export type TemplateName = { [Part in keyof TemplateReference]: string };

/**
 * Returns the template that a reference means. Without a version: the active version, or the highest one of a project.
 * Without a namespace: the template in `default`, otherwise the first one.
 */
export function meantBy<T extends TemplateName & { active?: boolean }>(
  known: readonly T[],
  reference: TemplateReference,
): T | undefined {
  const matching = known.filter((one) => fits(one, reference));
  const { namespace } = matching.find((one) => one.namespace === 'default') ?? matching[0] ?? {};
  const there = matching.filter((one) => one.namespace === namespace);
  const highest = highestVersion(there.map(({ version }) => version));
  return there.find(({ active }) => active) ?? there.find(({ version }) => version === highest);
}

/** Returns whether a reference matches a template. */
export function fits(one: TemplateName, { name, namespace, version }: TemplateReference): boolean {
  return (
    one.name === name && (namespace ?? one.namespace) === one.namespace && (version ?? one.version) === one.version
  );
}
