import { z } from 'zod';
import { NAMES } from './names.ts';
import { PauseSchema } from './task-details.ts';
import { knownFields, userFields } from './user-json.ts';

/** The JSON of templates. */

export const TemplateListSchema = z
  .object({
    namespaces: z.array(z.object({ name: z.string(), description: z.string().nullable(), template_count: z.int() })),
    templates: z.array(
      z.object({
        name: z.string(),
        namespace: z.string(),
        version: z.string(),
        description: z.string().nullable(),
        step_count: z.int(),
        active: z.boolean().meta({ description: 'Whether tasks without a version are created from this version.' }),
        pinned: z.boolean().meta({
          description:
            'Whether the version is active until the next activation, even if a higher version is registered.',
        }),
        digest: z.string().meta({ description: 'A hash of the contents.' }),
        registered_at: z.string(),
        paused: z.array(PauseSchema).nullable().meta({ description: 'The pauses that apply to the template.' }),
      }),
    ),
    total_count: z.int(),
  })
  .register(NAMES, { id: 'TemplateListResponse' });
/** A template in the form of a template file. Fields that are null in the file are missing. */
export const TemplateContentSchema = knownFields('public', {
  description: z.string().optional(),
  input_schema: userFields('public').optional(),
  default_context: userFields('public').optional(),
  steps: z.array(
    knownFields('public', {
      name: z.string(),
      description: z.string().optional(),
      publishes_events: z
        .array(
          knownFields('public', {
            name: z.string(),
            description: z.string(),
            condition: z.string().optional(),
            delivery_mode: z.string().optional(),
            publisher: z.string().optional(),
          }),
        )
        .optional(),
    }),
  ),
}).register(NAMES, { id: 'TemplateContent' });

export const TemplateDetailSchema = z
  .object({
    name: z.string(),
    namespace: z.string(),
    version: z.string(),
    description: z.string().nullable(),
    configuration: z.null(),
    steps: z.array(
      z.object({
        name: z.string(),
        description: z.string().nullable(),
        default_retryable: z.boolean(),
        default_max_attempts: z.int(),
        result_schema: userFields('public').nullable(),
      }),
    ),
  })
  .register(NAMES, { id: 'TemplateDetailResponse' });
