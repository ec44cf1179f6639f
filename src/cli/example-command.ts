import type { TaskTemplate } from '../template/task-template.ts';

/** Returns a shell command that creates a task from this template. */
export function exampleCommand(template: TaskTemplate): string {
  const context = exampleContext(template);
  const input =
    Object.keys(context).length === 0 ? '' : ` --input '${JSON.stringify(context).replaceAll("'", "'\\''")}'`;
  const key = template.identityStrategy === 'caller_provided' ? ' --idempotency-key example-1' : '';
  return `npx tasker task create ${template.namespace}/${template.name}@${template.version}${input}${key}`;
}

/** Returns a context with the fields that the input schema requires. The values are a best effort to match the schema. */
function exampleContext({ inputSchema, defaultContext }: TaskTemplate): Record<string, unknown> {
  const schema = asObject(inputSchema);
  return exampleObject(Array.isArray(schema.required) ? schema : { ...schema, required: allOf(schema) }, 0, {
    ...defaultContext,
  });
}

function allOf({ properties }: Record<string, unknown>): string[] {
  return Object.keys(asObject(properties));
}

/** Schemas may refer to themselves, and a command should stay readable. */
const DEEPEST = 5;

function exampleObject(
  { properties, required }: Record<string, unknown>,
  depth: number,
  given: Record<string, unknown> = {},
): Record<string, unknown> {
  const schemas = asObject(properties);
  const names = Array.isArray(required) && depth <= DEEPEST ? required.map(String) : [];
  return Object.fromEntries(names.map((key) => [key, given[key] ?? exampleValue(asObject(schemas[key]), depth + 1)]));
}

const EXAMPLES_BY_FORMAT: Readonly<Record<string, string>> = {
  email: 'someone@example.com',
  uuid: '00000000-0000-4000-8000-000000000000',
  date: '2030-01-31',
  'date-time': '2030-01-31T09:00:00Z',
  time: '09:00:00Z',
  uri: 'https://example.com',
};

function exampleValue(schema: Record<string, unknown>, depth: number): unknown {
  const { examples, enum: choices, const: only, type } = schema;
  for (const given of [schema.default, only, first(examples), first(choices)]) if (given !== undefined) return given;
  for (const union of [schema.anyOf, schema.oneOf]) {
    const one = first(union);
    if (one !== undefined && depth <= DEEPEST) return exampleValue(asObject(one), depth + 1);
  }
  switch (Array.isArray(type) ? type[0] : (type ?? (schema.properties && 'object'))) {
    case 'integer':
    case 'number':
      return exampleNumber(schema);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'array': {
      const count = typeof schema.minItems === 'number' && depth <= DEEPEST ? schema.minItems : 0;
      return Array.from({ length: Math.min(count, 10) }, () => exampleValue(asObject(schema.items), depth + 1));
    }
    case 'object':
      return exampleObject(schema, depth);
    default: {
      const text = EXAMPLES_BY_FORMAT[String(schema.format)] ?? 'text';
      return typeof schema.minLength === 'number' ? text.padEnd(Math.min(schema.minLength, 100), 'x') : text;
    }
  }
}

function exampleNumber({ minimum, exclusiveMinimum, maximum }: Record<string, unknown>): number {
  if (typeof minimum === 'number') return minimum;
  if (typeof exclusiveMinimum === 'number') return Math.floor(exclusiveMinimum) + 1;
  return typeof maximum === 'number' ? Math.min(1, maximum) : 1;
}

function first(values: unknown): unknown {
  return Array.isArray(values) ? (values[0] as unknown) : undefined;
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
