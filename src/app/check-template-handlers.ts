import { readFile } from 'node:fs/promises';
import { silentLogger } from '../logging/logger.ts';
import type { HandlerProblem } from '../registry/check-handlers.ts';
import { problemsAt, type TemplateProblem } from '../template/parse-template.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { HandlerFolders } from './handler-folders.ts';
import type { LoadedTemplates } from './load-templates.ts';

/**
 * A problem for each step whose handler the folders don't have, at its place in the template's file.
 * @throws TaskerError `handler_invalid`, `handler_not_found` when the folders themselves can't be read
 */
export async function checkTemplateHandlers(
  { fileOf }: Pick<LoadedTemplates, 'fileOf'>,
  folders: readonly string[],
): Promise<TemplateProblem[]> {
  const handlers = new HandlerFolders(folders, { logger: silentLogger });
  await handlers.load();
  const problems: TemplateProblem[] = [];
  for (const [template, file] of fileOf) {
    const findings = (await handlers.problems([template])).flatMap((problem) => findingsOf(problem, template));
    if (findings.length > 0) problems.push(...problemsAt(await readFile(file, 'utf8'), findings, file));
  }
  return problems;
}

function findingsOf({ missing, message, steps }: HandlerProblem, template: TaskTemplate) {
  return steps.map((name) => ({
    severity: 'error' as const,
    code: missing ? 'handler_not_found' : 'handler_invalid',
    message: `step \`${name}\`: ${message}`,
    path: ['steps', template.steps.findIndex((step) => step.name === name), 'handler'],
  }));
}
