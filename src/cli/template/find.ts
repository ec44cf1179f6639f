import { existsSync, statSync } from 'node:fs';
import { databaseExists } from '../../app/project/database-admin.ts';
import { loadTemplates, readTemplates } from '../../app/project/load-templates.ts';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import type { GlobalOptions } from '../options.ts';
import { existingFolders } from '../project/folders.ts';
import { withTasker } from '../with-tasker.ts';

/** A template by its file, by its name in the project's folders, or as it is registered; in this order. */
export async function findTemplate(wanted: string, options: GlobalOptions): Promise<TaskTemplate> {
  const { environment } = loadConfig().config;
  if (existsSync(wanted) && statSync(wanted).isFile()) {
    return (await loadTemplates(wanted, environment)).templates[0]!;
  }
  const reference = readReference(wanted);
  const { templates } = await readTemplates(existingFolders(options), environment);
  const own = templates.find((one) => fits(one, reference));
  if (own) return own;
  if (!databaseExists(options)) {
    throw new TaskerError('template_not_found', `no template ${wanted} in this project; ${known(templates)}`);
  }
  return withTasker(options, {}, async (tasker) => {
    const row = (await tasker.engine.templates.list()).find((one) => fits(one, reference));
    const { namespace = 'default', name, version = '1.0.0' } = row ?? reference;
    return (await tasker.engine.templates.newest(namespace, name, version)).template;
  });
}

function known(templates: readonly TaskTemplate[]): string {
  if (templates.length === 0) return '`npx tasker init` makes a first one';
  return `there ${templates.length === 1 ? 'is' : 'are'} ${templates.map((one) => `${one.namespace}/${one.name}@${one.version}`).join(', ')}`;
}

/** A template as a command names it; what is undefined is left open. */
export interface TemplateReference {
  name: string;
  namespace: string | undefined;
  version: string | undefined;
}

/** Reads `name`, `namespace/name`, `name@version` or `namespace/name@version`. */
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

/** The name of a template, whole. */
export type TemplateName = { [Part in keyof TemplateReference]: string };

/** Whether a command that names a template so may mean this one. */
export function fits(one: TemplateName, { name, namespace, version }: TemplateReference): boolean {
  return (
    one.name === name && (namespace ?? one.namespace) === one.namespace && (version ?? one.version) === one.version
  );
}
