import path from 'node:path';
import { TaskerError } from '../../errors.ts';
import { silentLogger } from '../../logging/logger.ts';
import { describeUnknown } from '../../model/near-names.ts';
import { discoverHandlers } from '../../registry/discover-handlers.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { AnyWorkflow } from '../../workflow/workflow.ts';
import { here } from '../this-run.ts';
import { fits, readReference } from './reference.ts';

/** A workflow, and the file or folder that exports it. */
export interface ExportedWorkflow {
  workflow: AnyWorkflow;
  place: string;
}

/** Returns whether a path is that of a handler file, by its ending. */
export function isCodeFile(place: string): boolean {
  return /\.m?[jt]s$/.test(place);
}

/**
 * Returns the workflows that handler files and the files of handler folders export.
 * @throws TaskerError `handler_not_found` if a path does not exist, `handler_invalid` if a file cannot be loaded
 */
export async function workflowsIn(places: readonly string[]): Promise<ExportedWorkflow[]> {
  const found: ExportedWorkflow[] = [];
  for (const place of places) {
    const registry = new HandlerRegistry({ logger: silentLogger, baseFolder: null });
    const { workflows = [] } = await discoverHandlers(path.resolve(here().cwd, place), { registry });
    found.push(...workflows.map((workflow) => ({ workflow, place })));
  }
  return found;
}

/**
 * Returns the workflow that a handler file exports. `wanted`: its name, if the file exports several.
 * @throws TaskerError `template_not_found` if it exports none, or none with this name; `bad_request` if it exports several
 */
export async function workflowIn(place: string, wanted?: string): Promise<AnyWorkflow> {
  const workflows = (await workflowsIn([place])).map(({ workflow }) => workflow);
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
