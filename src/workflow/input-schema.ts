import type { StandardSchemaV1 } from '@standard-schema/spec';
import { messageOf, TaskerError } from '../errors.ts';

/** The part of the interface "Standard JSON Schema" that is used. */
interface WritesJsonSchema {
  jsonSchema?: { input?(options: { target: string }): Record<string, unknown> };
}

/**
 * Returns the JSON Schema of what a schema accepts.
 * @throws TaskerError `template_invalid` if its library cannot write it as JSON Schema
 */
export function inputSchemaOf(schema: StandardSchemaV1, workflow: string): Record<string, unknown> {
  const standard = schema['~standard'] as (StandardSchemaV1.Props & WritesJsonSchema) | undefined;
  const write = standard?.jsonSchema?.input;
  if (!write) {
    const vendor = standard ? ` of ${standard.vendor}` : '';
    throw new TaskerError(
      'template_invalid',
      `workflow ${workflow}: the schema${vendor} in input cannot be written as JSON Schema; use zod 4.2 or later, or give input_schema`,
    );
  }
  try {
    return write({ target: 'draft-2020-12' });
  } catch (cause) {
    throw new TaskerError('template_invalid', `workflow ${workflow}: input: ${messageOf(cause)}`, { cause });
  }
}
