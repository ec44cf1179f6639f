import { existsSync, statSync } from 'node:fs';
import { databaseExists } from '../../app/project/database-admin.ts';
import { loadTemplates, readTemplates } from '../../app/project/load-templates.ts';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import type { GlobalOptions } from '../options.ts';
import { existingFolders } from '../project/folders.ts';
import { withTasker } from '../with-tasker.ts';
import { fits, readReference } from './reference.ts';

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
