import { isFields } from '../model/json.ts';
import { ONE_SCHEMA, SCHEMA_LIST, SCHEMA_MAP } from './generate/schema-walk.ts';
import type { JsonObject, JsonValue, TaskTemplate } from './task-template.ts';
import { canonicalJson } from './template-digest.ts';
import { templateToJson } from './template-json.ts';

/**
 * Returns the content of a template that matters when its tasks run, as JSON with sorted keys. Omits `metadata`,
 * descriptions, and the titles, descriptions and comments of schemas. Steps, events and dependencies are sorted by name.
 */
export function contentOf(template: TaskTemplate): JsonObject {
  const { metadata: _, description: __, steps, domain_events: events, ...rest } = templateToJson(template);
  const content = {
    ...rest,
    ...(rest['input_schema'] !== undefined && { input_schema: withoutNotes(rest['input_schema']) }),
    ...(rest['output_schema'] !== undefined && { output_schema: withoutNotes(rest['output_schema']) }),
    ...(events !== undefined && { domain_events: byName(events).map(eventContent) }),
    steps: byName(steps).map(stepContent),
  };
  return JSON.parse(canonicalJson(content as JsonObject)) as JsonObject;
}

function stepContent({ description: _, ...step }: JsonObject): JsonObject {
  const { dependencies, result_schema: result, publishes_events: events, signal, approval } = step;
  return {
    ...step,
    ...(Array.isArray(dependencies) && { dependencies: [...dependencies].sort() }),
    ...(result !== undefined && { result_schema: withoutNotes(result) }),
    ...(events !== undefined && { publishes_events: byName(events).map(eventContent) }),
    ...(isFields(signal) &&
      signal['schema'] !== undefined && {
        signal: { ...signal, schema: withoutNotes(signal['schema'] as JsonValue) } as JsonObject,
      }),
    ...(isFields(approval) &&
      approval['form'] !== undefined && {
        approval: { ...approval, form: withoutNotes(approval['form'] as JsonValue) } as JsonObject,
      }),
  };
}

function eventContent({ description: _, ...event }: JsonObject): JsonObject {
  return event['schema'] === undefined ? event : { ...event, schema: withoutNotes(event['schema']) };
}

function byName(list: JsonValue | undefined): JsonObject[] {
  const items = (Array.isArray(list) ? list : []) as JsonObject[];
  return [...items].sort((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1));
}

const NOTES = new Set(['title', 'description', '$comment']);

/** Returns a schema without its notes. The values of other keywords, such as `default`, are data. */
function withoutNotes(schema: JsonValue): JsonValue {
  if (!isFields(schema)) return schema;
  const entries = Object.entries(schema as JsonObject).filter(([key]) => !NOTES.has(key));
  return Object.fromEntries(
    entries.map(([key, value]) => {
      if (SCHEMA_LIST.has(key) && Array.isArray(value)) return [key, value.map(withoutNotes)];
      if (ONE_SCHEMA.has(key)) return [key, withoutNotes(value)];
      if (!SCHEMA_MAP.has(key) || !isFields(value)) return [key, value];
      const inner = Object.entries(value as JsonObject).map(([name, one]) => [name, withoutNotes(one)] as const);
      return [key, Object.fromEntries(inner)];
    }),
  );
}
