import { z } from 'zod';
import { NAMES } from './names.ts';

export const bulkState = z.enum(['selected', 'running', 'stopped', 'done']);

export const SampleSchema = z.object({
  task_uuid: z.uuid(),
  template: z.string(),
  status: z.string(),
  steps: z.array(
    z.object({
      name: z.string(),
      state: z.string(),
      attempts: z.int(),
      retryable: z.boolean().meta({
        description:
          'False if the template does not allow the step to run twice. The step may already have had its effect.',
      }),
      error_type: z.string().nullable(),
      error: z.string().nullable(),
    }),
  ),
});

export const PreviewSchema = z
  .object({
    action: z.string(),
    matched: z.int(),
    skipped: z.int().meta({ description: 'Ids that do not exist.' }),
    steps: z.int().meta({ description: 'Steps that would run again.' }),
    not_retryable: z.int(),
    paused: z.int().meta({ description: 'Tasks whose steps do not start until a pause ends, at most 100,000.' }),
    dry_run: z.literal(true),
    sample: z.array(SampleSchema).meta({ description: 'The first ten tasks.' }),
  })
  .register(NAMES, { id: 'BulkActPreview' });

export const StartedSchema = z
  .object({
    id: z.int(),
    action: z.string(),
    state: bulkState,
    matched: z.int(),
    done: z.int(),
    skipped_count: z.int(),
    failed_count: z.int(),
  })
  .register(NAMES, { id: 'StartedBulkAct' });
