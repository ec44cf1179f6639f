import type { TaskTemplate } from '../template/task-template.ts';

/** Returns a shell command that creates a task from this template. */
export function exampleCommand(template: TaskTemplate): string {
  const context = exampleContext(template);
  const input =
    Object.keys(context).length === 0 ? '' : ` --input '${JSON.stringify(context).replaceAll("'", "'\\''")}'`;
  return `npx tasker task create ${template.namespace}/${template.name}@${template.version}${input}`;
}

/** Returns a context with the fields that the input schema requires. The values are a best effort to match the schema. */
function exampleContext({ inputSchema, defaultContext }: TaskTemplate): Record<string, unknown> {
  const schema = asObject(inputSchema);
  const properties = asObject(schema.properties);
  const required = Array.isArray(schema.required) ? schema.required.map(String) : Object.keys(properties);
  const given: Record<string, unknown> = defaultContext ?? {};
  return Object.fromEntries(required.map((key) => [key, given[key] ?? exampleValue(asObject(properties[key]))]));
}

function exampleValue(schema: Record<string, unknown>): unknown {
  const { examples, enum: choices, const: only } = schema;
  for (const given of [schema.default, only, first(examples), first(choices)]) if (given !== undefined) return given;
  switch (schema.type) {
    case 'integer':
    case 'number':
      return typeof schema.minimum === 'number' ? schema.minimum : 1;
    case 'boolean':
      return true;
    case 'array':
      return typeof schema.minItems === 'number' && schema.minItems > 0 ? [exampleValue(asObject(schema.items))] : [];
    case 'object':
      return {};
    default:
      return 'text';
  }
}

function first(values: unknown): unknown {
  return Array.isArray(values) ? (values[0] as unknown) : undefined;
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
