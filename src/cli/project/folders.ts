import { existsSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../../config/load-config.ts';
import { TaskerError } from '../../errors.ts';
import type { GlobalOptions } from '../options.ts';

const TEMPLATE_FOLDER = 'templates';
const HANDLER_FOLDER = 'handlers';

/** Where templates are: `--templates`, `TASKER_TEMPLATE_PATH`, the configuration, `config/tasks` or `templates` of the project. */
export function templateFolders(options: GlobalOptions): string[] {
  return pathsIn(options.templates) ?? nonEmpty(loadConfig().config.templatePaths) ?? [TEMPLATE_FOLDER];
}

/** Where handlers are: `--handlers`, `TASKER_HANDLER_PATH`, the configuration, `./handlers`. */
export function handlerFolders(options: GlobalOptions): string[] {
  return pathsIn(options.handlers) ?? nonEmpty(loadConfig().config.handlerPaths) ?? [HANDLER_FOLDER];
}

/**
 * The folders of a project that is to run; throws when one is not there, with the way out. A worker that is told its
 * namespaces may leave the templates to those who create tasks.
 */
export function runnableFolders(options: GlobalOptions & { namespace?: string[] }): {
  templates: string[];
  handlers: string[];
} {
  const namespaces = options.namespace ?? loadConfig().config.namespaces;
  const needsTemplates = namespaces === undefined || options.templates !== undefined;
  if (needsTemplates) templatesThere(options);
  return { templates: existingFolders(options), handlers: handlersThere(options) };
}

/** The folders of handlers, which must be there. @throws TaskerError `handler_not_found` */
export function handlersThere(options: GlobalOptions): string[] {
  const handlers = handlerFolders(options);
  mustExist(handlers, { code: 'handler_not_found', what: 'handlers', option: '--handlers' });
  return handlers;
}

/** The folders of templates, which must be there. @throws TaskerError `template_invalid` */
export function templatesThere(options: GlobalOptions): string[] {
  const templates = templateFolders(options);
  mustExist(templates, { code: 'template_invalid', what: 'templates', option: '--templates' });
  return templates;
}

function mustExist(
  folders: readonly string[],
  { code, what, option }: { code: 'template_invalid' | 'handler_not_found'; what: string; option: string },
): void {
  const missing = folders.find((folder) => !existsSync(folder));
  if (missing === undefined) return;
  throw new TaskerError(
    code,
    `there are no ${what} in ${path.resolve(missing)}; \`npx tasker init\` makes a first one here, ${option} names another folder`,
  );
}

function pathsIn(option: string | undefined): string[] | undefined {
  return option === undefined ? undefined : nonEmpty(option.split(path.delimiter).flatMap((part) => part.split(',')));
}

function nonEmpty(paths: readonly string[]): string[] | undefined {
  const given = paths.map((one) => one.trim()).filter((one) => one !== '');
  return given.length > 0 ? given : undefined;
}

/** The template folders that are there. */
export function existingFolders(options: GlobalOptions): string[] {
  return templateFolders(options).filter((folder) => existsSync(folder));
}
