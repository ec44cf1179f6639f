import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Tasker } from '../../app/tasker.ts';
import type { StepActionSchema } from '../../contract/schemas/tasks.ts';
import { type StepIdPath, steps } from '../../contract/steps.ts';
import { isTaskerError, TaskerError } from '../../errors.ts';
import { isUuid } from '../../model/ids.ts';
import { actorOf, type Caller, callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { stepWithoutWaiting } from './legacy-states.ts';
import { auditJson, stepJson } from './task-json.ts';

const LIST = describeRoute(steps.list);
const GET = describeRoute(steps.get);
const ACT = describeRoute(steps.update);
const AUDIT = describeRoute(steps.audit);

/** Routes for the steps of tasks. */
export function stepRoutes(tasker: Tasker, { legacyStatus }: { legacyStatus: boolean }): OpenAPIHono {
  const shown = (step: Parameters<typeof stepJson>[0]) => stepJson(legacyStatus ? stepWithoutWaiting(step) : step);
  const find = async ({ uuid, step_uuid }: z.infer<typeof StepIdPath>) => {
    if (!isUuid(step_uuid)) throw new TaskerError('invalid_uuid', `the step id ${step_uuid} is not a UUID`);
    return tasker.getStep(uuid, step_uuid);
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(LIST, async (c) => {
      const steps = await tasker.getSteps(c.req.valid('param').uuid);
      return c.json(steps.map(shown), 200);
    })
    .openapi(GET, async (c) => c.json(shown(await find(c.req.valid('param'))), 200))
    .openapi(ACT, async (c) => {
      const place = c.req.valid('param');
      await find(place);
      try {
        await act(tasker, place, { action: c.req.valid('json'), caller: callerOf(c) });
      } catch (error) {
        if (!isTaskerError(error) || error.code !== 'illegal_transition') throw error;
        throw new TaskerError('bad_request', `Cannot manually resolve step: ${error.message}`, { cause: error });
      }
      return c.json(shown(await find(place)), 200);
    })
    .openapi(AUDIT, async (c) => {
      const place = c.req.valid('param');
      const step = await find(place);
      const [task, history] = await Promise.all([tasker.getTask(place.uuid), tasker.getHistory(place.uuid)]);
      return c.json(auditJson(task, step, history), 200);
    });
}

function act(
  tasker: Tasker,
  { uuid, step_uuid: step }: z.infer<typeof StepIdPath>,
  { action, caller }: { action: z.infer<typeof StepActionSchema>; caller: Caller },
): Promise<void> {
  const by = (name: string) => actorOf(caller, { by: name, reason: action.reason });
  switch (action.action_type) {
    case 'reset_for_retry':
      return tasker.resetStep(uuid, step, by(action.reset_by));
    case 'resolve_manually':
      return tasker.resolveStep(uuid, step, {
        ...by(action.resolved_by),
        ...(action.result !== undefined && { result: action.result }),
      });
    case 'complete_manually': {
      const { result, metadata } = action.completion_data;
      const more = { result, ...(metadata != null && { metadata }) };
      return tasker.completeStep(uuid, step, { ...by(action.completed_by), ...more });
    }
  }
}
