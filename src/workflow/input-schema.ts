import type { StandardSchemaV1 } from '@standard-schema/spec';
import { messageOf, TaskerError } from '../errors.ts';
import { isFields } from '../model/json.ts';

/** The part of the interface "Standard JSON Schema" that is used. */
interface WritesJsonSchema {
  jsonSchema?: { input?(options: { target: string }): Record<string, unknown> };
}

/** Where a schema is, and what to write instead of it. */
interface Place {
  at: string;
  key: string;
  instead: string;
}

/**
 * Returns the JSON Schema of what a schema accepts.
 * @throws TaskerError `template_invalid` if its library cannot write it as JSON Schema
 */
export function inputSchemaOf(schema: StandardSchemaV1, { at, key, instead }: Place): Record<string, unknown> {
  const standard = schema['~standard'] as (StandardSchemaV1.Props & WritesJsonSchema) | undefined;
  const write = standard?.jsonSchema?.input;
  if (!write) {
    const vendor = standard ? ` of ${standard.vendor}` : '';
    throw new TaskerError(
      'template_invalid',
      `${at}: the schema${vendor} in ${key} cannot be written as JSON Schema; use zod 4.2 or later, or ${instead}`,
    );
  }
  try {
    return write({ target: 'draft-2020-12' });
  } catch (cause) {
    throw new TaskerError('template_invalid', `${at}: ${key}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Returns the settings of a signal with its schemas as JSON Schema, as a template has them.
 * @throws TaskerError `template_invalid` if a schema cannot be written as JSON Schema
 */
export function signalWithSchemas<Signal extends { schema?: unknown; schemas?: unknown }>(
  signal: Signal,
  at: string,
): Signal {
  const written = (schema: unknown, key: string) =>
    isStandard(schema) ? inputSchemaOf(schema, { at, key, instead: 'write it as JSON Schema' }) : schema;
  const { schema, schemas } = signal;
  return {
    ...signal,
    ...(schema != null && { schema: written(schema, 'signal.schema') }),
    ...(isFields(schemas) && {
      schemas: Object.fromEntries(
        Object.entries(schemas).map(([name, each]) => [name, written(each, `signal.schemas.${name}`)]),
      ),
    }),
  };
}

/** Some libraries make schemas that are functions. */
function isStandard(schema: unknown): schema is StandardSchemaV1 {
  return (typeof schema === 'object' || typeof schema === 'function') && schema !== null && '~standard' in schema;
}
