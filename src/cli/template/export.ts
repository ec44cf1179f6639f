import { formatProblem } from '../../template/template-problem.ts';
import { type GenerateOptions, putGenerated } from '../generate/put-generated.ts';
import { note, printJson } from '../show/output.ts';
import { workflowIn } from './workflows.ts';

/**
 * `tasker template export`: writes the template of a workflow that a handler file exports, as YAML. Prints the warnings
 * about it.
 */
export async function templateExport(file: string, options: GenerateOptions & { name?: string }): Promise<void> {
  const workflow = await workflowIn(file, options.name);
  const { namespace, name, version, template, problems } = workflow;
  const yaml = workflow.toYaml();
  if (options.json && options.out === undefined) return printJson({ yaml, problems });
  for (const problem of problems) note(formatProblem(problem));
  putGenerated(yaml, options, `${namespace}/${name}@${version}, ${template.steps.length} steps`);
}
