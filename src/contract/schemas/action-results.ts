import { z } from 'zod';
import { UNDO_REASONS } from '../../model/undo.ts';
import { NAMES } from './names.ts';
import { orNull } from './or-null.ts';
import { stepState, taskState } from './states.ts';
import { PauseSchema, StepResultsSchema } from './task-details.ts';
import { StepResponseSchema } from './tasks.ts';

/** The responses of actions, in the form that the command line prints with `--json`. */

export const time = z.string().meta({ description: 'ISO 8601.' });
export const timeOrNull = z.string().nullable();
/** A name in the path or a body. PostgreSQL cannot store U+0000. */
export const named = (longest = 200) => z.string().min(1).max(longest);
/** A cursor of a page. */
export const cursor = z.string().max(2000).optional();

export const ActivationSchema = z
  .object({
    namespace: z.string(),
    name: z.string(),
    version: z.string().meta({ description: 'The active version, which tasks without a version are created from.' }),
    previous_version: z.string().meta({ description: 'The version that was active before.' }),
    pinned: z.boolean().meta({ description: 'Whether the version stays active when a higher version is registered.' }),
    changed: z.boolean().meta({ description: 'False if nothing had to be changed.' }),
  })
  .register(NAMES, { id: 'Activation' });

export const PauseResultSchema = z
  .object({
    scope: z.enum(['task', 'template', 'namespace']),
    target: z.string(),
    changed: z.boolean().meta({ description: 'False if the target was already paused, or was not paused.' }),
    steps: z
      .int()
      .meta({ description: 'Number of ready steps that the pause keeps from starting, or that can start again.' }),
    pause: orNull(PauseSchema),
    others: z.array(PauseSchema),
  })
  .register(NAMES, { id: 'PauseResult' });

export const RerunSchema = z
  .object({
    task_uuid: z.uuid(),
    from: z.string(),
    rerun: z.int(),
    dry_run: z.boolean(),
    status_before: z.string(),
    status: taskState,
    steps: z.array(
      z.object({
        step: z.string(),
        template_step_name: z.string(),
        state: stepState,
        attempts: z.int(),
        retryable: z.boolean(),
        change: z.enum(['again', 'removed', 'returned']),
      }),
    ),
  })
  .register(NAMES, { id: 'Rerun' });

export const UndoSchema = z
  .object({
    task_uuid: z.uuid(),
    dry_run: z.boolean(),
    status_before: taskState,
    status: taskState,
    steps: z
      .array(
        z.object({
          step: z.string(),
          state: stepState.meta({ description: 'The state of the step before the undo.' }),
          undone: z.boolean(),
          handler: orNull(z.string()).meta({ description: 'The handler that undoes it.' }),
          child_task_uuid: orNull(z.uuid()).meta({ description: 'The child task that is undone for it.' }),
          after: z.array(z.string()).meta({ description: 'The steps that are undone before it.' }),
          reason: orNull(z.enum(UNDO_REASONS)).meta({ description: 'Why it is not undone.' }),
        }),
      )
      .meta({ description: 'In the order in which they are undone, and then the steps that are not undone.' }),
  })
  .register(NAMES, { id: 'Undo' });

export const CopySchema = z
  .object({
    task_uuid: z.uuid(),
    name: z.string(),
    namespace: z.string(),
    version: z.string(),
    priority: z.int(),
    total_steps: z.int(),
    created: z.boolean(),
    outcome: z.enum(['created', 'returned', 'replaced']),
    rule: z.enum(['identity', 'unique']).nullable(),
    replaced_task_uuid: z.uuid().nullable(),
    copy_of: z.uuid(),
  })
  .register(NAMES, { id: 'TaskCopy' });

export const ActedStepSchema = StepResponseSchema.omit({ handler: true })
  .extend({
    callable: z.string().meta({ description: 'The handler that the template names.' }),
    results: orNull(StepResultsSchema).meta({ description: 'Null without the permission tasks:context_read.' }),
  })
  .register(NAMES, { id: 'ActedStep' });

/** Gives JSON the type of its schema. Tests check that the two match. */
export function as<Schema extends z.ZodType>(_: Schema, json: object): z.infer<Schema> {
  return json as z.infer<Schema>;
}

export const UseSchema = z
  .object({
    task_uuid: z.uuid(),
    step_uuid: z.uuid(),
    repeated: z.boolean().meta({ description: 'Whether an earlier call had the same effect.' }),
  })
  .register(NAMES, { id: 'TokenUse' });

export const RedriveSchema = z
  .object({
    task_uuid: z.uuid(),
    dlq_entry_uuid: z.uuid(),
    how: z.enum(['retried', 'reopened']),
    steps: z.array(z.string()),
    status_before: z.string(),
    status: taskState,
  })
  .register(NAMES, { id: 'Redrive' });
