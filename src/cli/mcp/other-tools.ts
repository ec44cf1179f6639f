import { z } from 'zod';
import { path } from '../../client/path.ts';
import { steps } from '../../contract/steps.ts';
import { type ReadTool, readTool, stepId, type WriteTool, writeTool } from './tool.ts';

/** Tools that are not exactly one verb of the contract. */
export const OTHER_TOOLS: readonly (ReadTool | WriteTool)[] = [
  // The verb does not know the address, and whether writing is allowed.
  readTool({
    name: 'connection_status',
    description: 'Returns the address of tasker, the caller, and its permissions.',
    input: {},
    run: async (ask, _given, { place, mayWrite }) => {
      const caller = await ask({ method: 'GET', path: path`/v1/me` });
      return { place, writes_allowed: mayWrite, caller };
    },
  }),
  // The verb nests the result in `completion_data`.
  writeTool({
    name: 'step_complete',
    description: 'Completes a step with the given result instead of running it.',
    permission: steps.update.permission,
    destructive: true,
    input: {
      task_uuid: z.string(),
      step: z.string(),
      reason: z.string().optional(),
      result: z.unknown().describe('As its handler would return it.'),
    },
    says: ({ task_uuid, step }) => `complete step ${step} of task ${task_uuid} with the given result`,
    target: ({ task_uuid }) => ({ method: 'GET', path: path`/v1/tasks/${task_uuid}` }),
    change: async (ask, given, by) => ({
      method: 'PATCH',
      path: path`/v1/tasks/${given.task_uuid}/workflow_steps/${await stepId(ask, given)}`,
      body: {
        action_type: 'complete_manually',
        reason: given.reason,
        completed_by: by,
        completion_data: { result: given.result ?? null },
      },
    }),
  }),
];
