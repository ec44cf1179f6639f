import { z } from 'zod';

/** The parameters in the paths of several verbs. */

export const TaskPath = z.object({
  uuid: z.string().meta({ description: 'The id of a task.', example: '01a2213f-40bd-724e-8e90-6411b01f29a5' }),
});
export const StepPath = TaskPath.extend({
  step: z.string().meta({ description: 'The name or id of the step.', example: 'charge' }),
});
export const NamespacePath = z.object({ namespace: z.string() });
export const TemplatePath = NamespacePath.extend({ name: z.string() });
export const VersionPath = TemplatePath.extend({ version: z.string() });
