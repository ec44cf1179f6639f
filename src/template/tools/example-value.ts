/** Schemas may refer to themselves, and an example should stay readable. */
const DEEPEST = 5;

/** Returns an object with the fields that a schema requires. Values in `given` are used as they are. */
export function exampleObject(
  { properties, required }: Record<string, unknown>,
  depth = 0,
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

/** Returns a value for a schema. The value is a best effort: it may not match a pattern, for example. */
export function exampleValue(schema: Record<string, unknown>, depth = 0): unknown {
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

/** Returns a value if it is an object, else an empty object. */
export function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
