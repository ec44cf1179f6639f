import { z } from 'zod';
import { NAMES } from './names.ts';
import { pageFields } from './query.ts';
import { stepState } from './states.ts';

/** The fields that describe a page of a search. */
export const searchFields = {
  total: z.int().meta({ description: 'At most 10,000 are counted.' }),
  total_is_exact: z.boolean(),
  timed_out: z.boolean().meta({ description: 'The search stopped after 2 seconds; the next page continues.' }),
  lag_ms: z.int().meta({ description: 'Changes younger than this may be missing.' }),
  ...pageFields,
};

export const FoundStepSchema = z
  .object({
    step_uuid: z.uuid(),
    task_uuid: z.uuid(),
    name: z.string(),
    template_step_name: z.string(),
    callable: z.string(),
    namespace: z.string(),
    task_name: z.string(),
    version: z.string(),
    current_state: stepState,
    since: z.string(),
    task_created_at: z.string(),
    attempts: z.int(),
    worker: z.string().nullable(),
    error_type: z.string().nullable(),
    error: z.string().nullable(),
  })
  .register(NAMES, { id: 'FoundStep' });
