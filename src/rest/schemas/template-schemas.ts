import { z } from '@hono/zod-openapi';

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
      }),
    ),
    total_count: z.int(),
  })
  .openapi('TemplateListResponse');
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
        result_schema: z.record(z.string(), z.unknown()).nullable(),
      }),
    ),
  })
  .openapi('TemplateDetailResponse');
