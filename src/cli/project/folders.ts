import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import type { GlobalOptions } from '../options.ts';
import { here, inFolder } from '../this-run.ts';

const TEMPLATE_FOLDER = 'templates';
const HANDLER_FOLDER = 'handlers';
const SCHEDULE_FOLDER = 'schedules';

/**
 * Returns the template folders: `--templates`, `TASKER_TEMPLATE_PATH`, the configuration, otherwise the project's
 * `config/tasks` or `templates`.
 */
export function templateFolders(options: GlobalOptions): string[] {
  return pathsIn(options.templates) ?? nonEmpty(loadConfig(here()).config.templatePaths) ?? [TEMPLATE_FOLDER];
}

/** Returns the handler folders: `--handlers`, `TASKER_HANDLER_PATH`, the configuration, otherwise `./handlers`. */
export function handlerFolders(options: GlobalOptions): string[] {
  return pathsIn(options.handlers) ?? nonEmpty(loadConfig(here()).config.handlerPaths) ?? [HANDLER_FOLDER];
}

/**
 * Returns the folders of a project that is about to run. Templates are optional for a worker with given namespaces,
 * because programs that create tasks can register them, and if a handler file may export a workflow.
 * @throws TaskerError `handler_not_found`, `template_invalid` if a folder is missing
 */
export function runnableFolders(options: GlobalOptions & { namespace?: string[] }): {
  templates: string[];
  handlers: string[];
} {
  const namespaces = options.namespace ?? loadConfig(here()).config.namespaces;
  const templates = existingFolders(options);
  const mayLackSome = () => namespaces !== undefined || onlyHasWorkflows(options);
  const lacksSome = templates.length < templateFolders(options).length;
  if (options.templates !== undefined || (lacksSome && !mayLackSome())) templatesThere(options);
  return { templates, handlers: handlersThere(options) };
}

/** Returns whether no folder of templates is configured, and a handler file may export a workflow. */
function onlyHasWorkflows(options: GlobalOptions): boolean {
  return templateFolders(options).join() === TEMPLATE_FOLDER && workflowFolders(options).length > 0;
}

/** Returns the handler folders that may export a workflow. */
export function workflowFolders(options: GlobalOptions): string[] {
  return handlerFolders(options).filter(mayHaveWorkflows);
}

/** Returns whether a file of a handler folder calls `workflow`. Reads only the text. */
function mayHaveWorkflows(folder: string): boolean {
  const place = inFolder(folder);
  if (!existsSync(place)) return false;
  const files = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter(
    (file) => /\.[cm]?[jt]s$/.test(file) && !file.split(path.sep).includes('node_modules'),
  );
  return files.some((file) => /\bworkflow\s*[(<]/.test(readFileSync(path.join(place, file), 'utf8')));
}

/** Returns the handler folders. @throws TaskerError `handler_not_found` if one is missing */
export function handlersThere(options: GlobalOptions): string[] {
  const handlers = handlerFolders(options);
  mustExist(handlers, { code: 'handler_not_found', what: 'handlers', option: '--handlers' });
  return handlers;
}

/** Returns the template folders. @throws TaskerError `template_invalid` if one is missing */
export function templatesThere(options: GlobalOptions): string[] {
  const templates = templateFolders(options);
  mustExist(templates, { code: 'template_invalid', what: 'templates', option: '--templates' });
  return templates;
}

function mustExist(
  folders: readonly string[],
  { code, what, option }: { code: 'template_invalid' | 'handler_not_found'; what: string; option: string },
): void {
  const missing = folders.find((folder) => !existsSync(inFolder(folder)));
  if (missing === undefined) return;
  throw new TaskerError(
    code,
    `${what} not found: ${path.resolve(here().cwd, missing)} does not exist; run \`npx tasker-core init\` to create a first workflow, or pass ${option} to use another folder`,
  );
}

/** Returns the existing schedule folders: the configured folders, otherwise the project's `schedules`. */
export function scheduleFolders(): string[] | undefined {
  const folders = nonEmpty(loadConfig(here()).config.schedulePaths) ?? [SCHEDULE_FOLDER];
  return nonEmpty(folders.filter((folder) => existsSync(inFolder(folder))));
}

function pathsIn(option: string | undefined): string[] | undefined {
  return option === undefined ? undefined : nonEmpty(option.split(path.delimiter).flatMap((part) => part.split(',')));
}

function nonEmpty(paths: readonly string[]): string[] | undefined {
  const given = paths.map((one) => one.trim()).filter((one) => one !== '');
  return given.length > 0 ? given : undefined;
}

/** Returns the template folders that exist. */
export function existingFolders(options: GlobalOptions): string[] {
  return templateFolders(options).filter((folder) => existsSync(inFolder(folder)));
}
