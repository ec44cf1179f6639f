import { statSync } from 'node:fs';
import { databaseExists } from '../../app/project/database-admin.ts';
import { workflowsIn } from '../../app/project/exported-workflows.ts';
import { loadTemplates, readTemplates, similarTemplate } from '../../app/project/load-templates.ts';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import type { GlobalOptions } from '../options.ts';
import { existingFolders, workflowFolders } from '../project/folders.ts';
import { chosenServer } from '../remote/choose-server.ts';
import { here, inFolder } from '../this-run.ts';
import { withTasker } from '../with-tasker.ts';
import { meantBy, readReference } from './reference.ts';
import { isCodeFile, workflowIn } from './workflows.ts';

/**
 * Finds a template by its file, by its name in the project's folders, or in the database, in this order. A workflow that a
 * handler file exports is found in the same way.
 */
export async function findTemplate(wanted: string, options: GlobalOptions): Promise<TaskTemplate> {
  const { environment } = loadConfig(here()).config;
  if (statSync(inFolder(wanted), { throwIfNoEntry: false })?.isFile()) {
    if (isCodeFile(wanted)) return (await workflowIn(wanted)).template;
    return (await loadTemplates(wanted, environment, here())).templates[0]!;
  }
  const reference = readReference(wanted);
  const { templates } = await readTemplates(existingFolders(options), environment, here());
  const own = meantBy(templates, reference) ?? meantBy(await exportedTemplates(templates, options), reference);
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

/** Adds the templates of the workflows that the project's handler files export to its other templates. */
async function exportedTemplates(templates: TaskTemplate[], options: GlobalOptions): Promise<TaskTemplate[]> {
  const exported = await workflowsIn(workflowFolders(options), here());
  templates.push(...exported.map(({ workflow }) => workflow.template));
  return templates;
}

function known(templates: readonly TaskTemplate[]): string {
  if (templates.length === 0) return '`npx tasker-core init` creates a first template';
  return `the project has ${templates.map((one) => `${one.namespace}/${one.name}@${one.version}`).join(', ')}`;
}
