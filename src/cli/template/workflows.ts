import { existsSync } from 'node:fs';
import path from 'node:path';
import { type ExportedWorkflow, workflowsIn } from '../../app/project/exported-workflows.ts';
import { TaskerError } from '../../errors.ts';
import { describeUnknown } from '../../model/near-names.ts';
import { here } from '../this-run.ts';
import { fits, readReference } from './reference.ts';

/** Returns whether a path is that of a handler file, by its ending. */
export function isCodeFile(place: string): boolean {
  return /\.m?[jt]s$/.test(place);
}

/**
 * Returns the workflow that a handler file exports. `wanted`: its name, if the file exports several.
 * @throws TaskerError `template_not_found` if it exports none, or none with this name; `bad_request` if it exports several
 */
export async function workflowIn(place: string, wanted?: string): Promise<ExportedWorkflow['workflow']> {
  if (!isCodeFile(place)) {
    throw new TaskerError(
      'bad_request',
      `${place} is not a TypeScript or JavaScript file; pass the file that exports the workflow`,
    );
  }
  if (!existsSync(path.resolve(here().cwd, place))) {
    throw new TaskerError('template_not_found', `${place} does not exist; pass the file that exports the workflow`);
  }
  const workflows = (await workflowsIn([place], here())).map(({ workflow }) => workflow);
  if (workflows.length === 0) {
    throw new TaskerError(
      'template_not_found',
      `${place} exports no workflow; export what workflow('namespace/name@version').step(…) returns`,
    );
  }
  const names = workflows.map(({ namespace, name, version }) => `${namespace}/${name}@${version}`);
  const reference = wanted === undefined ? undefined : readReference(wanted);
  const matching = reference ? workflows.filter((one) => fits(one, reference)) : workflows;
  if (matching.length === 1) return matching[0]!;
  if (matching.length > 1) {
    throw new TaskerError(
      'bad_request',
      `${place} exports ${workflows.length} workflows: ${names.join(', ')}; choose one with --name`,
    );
  }
  throw new TaskerError('template_not_found', `${place}: ${describeUnknown('workflow', [wanted!], names)}`);
}
