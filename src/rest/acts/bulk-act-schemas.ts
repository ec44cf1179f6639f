import { z } from '@hono/zod-openapi';

export const SampleSchema = z.object({
  task_uuid: z.uuid(),
  template: z.string(),
  status: z.string(),
  steps: z.array(
    z.object({
      name: z.string(),
      state: z.string(),
      attempts: z.int(),
      retryable: z.boolean().openapi({
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
    skipped: z.int().openapi({ description: 'Ids that do not exist.' }),
    steps: z.int().openapi({ description: 'Steps that would run again.' }),
    not_retryable: z.int(),
    paused: z.int().openapi({ description: 'Tasks whose steps do not start until a pause ends, at most 100,000.' }),
    dry_run: z.literal(true),
    sample: z.array(SampleSchema).openapi({ description: 'The first ten tasks.' }),
  })
  .openapi('BulkActPreview');

export const StartedSchema = z
  .object({
    id: z.int(),
    action: z.string(),
    state: z.string(),
    matched: z.int(),
    done: z.int(),
    skipped_count: z.int(),
    failed_count: z.int(),
  })
  .openapi('StartedBulkAct');
