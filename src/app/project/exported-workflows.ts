import path from 'node:path';
import type { Surroundings } from '../../config/surroundings.ts';
import { silentLogger } from '../../logging/logger.ts';
import { discoverHandlers } from '../../registry/discover-handlers.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { AnyWorkflow } from '../../workflow/workflow.ts';

/** A workflow, and the file or folder that exports it. */
export interface ExportedWorkflow {
  workflow: AnyWorkflow;
  place: string;
}

/**
 * Returns the workflows that handler files and the files of handler folders export. `cwd`: the folder of relative paths.
 * @throws TaskerError `handler_not_found` if a path does not exist, `handler_invalid` if a file cannot be loaded
 */
export async function workflowsIn(
  places: readonly string[],
  { cwd = '' }: Partial<Surroundings> = {},
): Promise<ExportedWorkflow[]> {
  const found: ExportedWorkflow[] = [];
  for (const place of places) {
    const registry = new HandlerRegistry({ logger: silentLogger, baseFolder: null });
    const { workflows = [] } = await discoverHandlers(path.resolve(cwd, place), { registry });
    found.push(...workflows.map((workflow) => ({ workflow, place })));
  }
  return found;
}
