import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { checkAgainstFolders } from '../../app/project/check-against-folders.ts';
import { checkChildren } from '../../app/project/check-children.ts';
import { type ExportedWorkflow, workflowsIn } from '../../app/project/exported-workflows.ts';
import { type LoadedTemplates, readTemplates } from '../../app/project/load-templates.ts';
import { unregisteredChildren } from '../../app/project/with-workflows.ts';
import { loadConfig } from '../../config/load-config.ts';
import { isTaskerError } from '../../errors.ts';
import { formatProblem, type TemplateProblem } from '../../template/template-problem.ts';
import { validateTemplate } from '../../template/tools/inspect-template.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import {
  existingFolders,
  handlerFolders,
  handlersThere,
  templateFolders,
  workflowFolders,
} from '../project/folders.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { here, inFolder, thisRun } from '../this-run.ts';
import { isCodeFile } from './workflows.ts';

/**
 * `tasker template validate`: reports the problems of all files, in a form that editors turn into links. Includes
 * problems with handlers: as errors with `--handlers`, otherwise as warnings.
 */
export async function templateValidate(
  paths: readonly string[],
  options: GlobalOptions & { strict?: boolean; findings?: boolean },
): Promise<void> {
  const { sources, code } = sourcesOf(paths, options);
  const loaded = await readTemplates(sources, loadConfig(here()).config.environment, here());
  const exported = await workflowsIn(code, here());
  const { files } = loaded;
  const problems = [...loaded.problems, ...(await checkChildren(loaded, here())), ...exported.flatMap(problemsOf)];
  // Files that are named one by one may use workflows of other files.
  if (paths.length === 0) {
    const workflows = exported.map(({ workflow }) => workflow);
    problems.push(...unregisteredChildren(workflows, [...workflows, ...loaded.templates]));
  }
  if (options.findings) {
    const found = files.map((file) => ({ file, ...validateTemplate(readFileSync(inFolder(file), 'utf8')) }));
    printJson(found);
    if (found.some(({ valid }) => !valid)) thisRun().exitCode = EXIT.failed;
    return;
  }
  const handlers = await handlerProblems(loaded, options);
  problems.push(...handlers.problems);
  const errors = problems.filter((problem) => problem.severity === 'error').length;
  const warnings = problems.length - errors;
  const valid = errors === 0 && !(options.strict && warnings > 0);
  if (options.json) printJson({ valid, files, problems });
  else {
    for (const problem of problems) print(formatProblem(problem));
    const of = [
      ...(files.length > 0 || exported.length === 0 ? [counted(files.length, 'file')] : []),
      ...(exported.length > 0 ? [counted(exported.length, 'workflow')] : []),
    ].join(', ');
    const found =
      problems.length === 0 ? 'no problems' : `${counted(errors, 'error')}, ${counted(warnings, 'warning')}`;
    const unchecked = handlers.unchecked === undefined ? '' : `; handlers not checked (${handlers.unchecked})`;
    if (files.length + exported.length === 0)
      note(`no template files in ${sources.map((source) => path.resolve(here().cwd, source)).join(', ')}`);
    else note(`${of}: ${found}${unchecked}`);
  }
  if (!valid) thisRun().exitCode = EXIT.failed;
}

/**
 * Returns the problems with the handlers of the templates. Without `--handlers`, compares with the project's folders, and
 * returns warnings, because another worker may have a missing handler. `unchecked`: the reason why nothing was compared.
 */
async function handlerProblems(
  loaded: LoadedTemplates,
  options: GlobalOptions,
): Promise<{ problems: TemplateProblem[]; unchecked?: string }> {
  if (options.handlers !== undefined)
    return { problems: await checkAgainstFolders(loaded, handlersThere(options), here()) };
  // The handlers of a workflow are part of it.
  if (loaded.fileOf.size === 0) return { problems: [] };
  const folders = handlerFolders(options);
  const missing = folders.find((folder) => !existsSync(inFolder(folder)));
  if (missing !== undefined) return { problems: [], unchecked: `${missing} does not exist; add --handlers FOLDERS` };
  try {
    const problems = await checkAgainstFolders(loaded, folders, here());
    return { problems: problems.map((problem) => ({ ...problem, severity: 'warning' })) };
  } catch (error) {
    // The templates can be checked where the packages of the handlers are not installed.
    if (!isTaskerError(error)) throw error;
    return { problems: [], unchecked: error.message };
  }
}

/** Returns the template files and folders, and the handler files and folders, whose workflows are checked too. */
function sourcesOf(paths: readonly string[], options: GlobalOptions): { sources: string[]; code: string[] } {
  if (paths.length > 0) {
    return { sources: paths.filter((place) => !isCodeFile(place)), code: paths.filter(isCodeFile) };
  }
  const code = workflowFolders(options);
  // A project whose workflows are all in TypeScript has no folder of templates.
  return { sources: code.length > 0 ? existingFolders(options) : templateFolders(options), code };
}

/** Returns the problems of a workflow, with the place that exports it. */
function problemsOf({ workflow, place }: ExportedWorkflow): TemplateProblem[] {
  return workflow.problems.map((problem) => ({ ...problem, file: `${place}: ${problem.file}` }));
}
