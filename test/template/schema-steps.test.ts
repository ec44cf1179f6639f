import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { compileSchema, compileStored, schemaProblems } from '../../src/template/json-schema-check.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';
import type { JsonSchema } from '../../src/template/task-template.ts';

const TOO_MANY = 'takes more than 40 million steps to check; use fewer nested anyOf, oneOf and $ref, or less data';
/** A schema that is rejected before it is compiled. */
const REPEATS = {
  patternProperties: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`(a?${i}b?){9000}x`, true])),
};
const OBJECTS = Array.from({ length: 30_000 }, (_, i) => ({ id: i, tag: { part: i % 7 } }));

/** Each level tries the next one several times: `branches` to the power of `levels` in all. */
function nested(levels: number, branches: number, keyword = 'anyOf'): JsonSchema {
  const level = (i: number) => ({ $ref: `#/$defs/level${i}` });
  const $defs: Record<string, unknown> = { [`level${levels}`]: { type: 'string' } };
  for (let i = 0; i < levels; i++) {
    $defs[`level${i}`] = { [keyword]: Array.from({ length: branches }, () => level(i + 1)) };
  }
  return { $defs, ...level(0) } as JsonSchema;
}

describe('a JSON Schema that would take hours', () => {
  it.each(['anyOf', 'oneOf', 'allOf'])('is rejected with a number of steps: %s, nested 28 times', (keyword) => {
    const schema = nested(28, 2, keyword);
    expect(schemaProblems(schema)).toEqual([]);
    expect(compileSchema(schema)(1)).toEqual([{ path: '', message: TOO_MANY }]);
  });

  it('is rejected if the elements of a list multiply its work', () => {
    const schema = { type: 'array', items: nested(12, 3), $defs: nested(12, 3).$defs } as JsonSchema;
    const check = compileSchema(schema);
    expect(check(Array.from({ length: 30 }, () => 1))).toEqual([{ path: '', message: TOO_MANY }]);
    expect(check(['a'])).toEqual([]);
  });

  it('is rejected if it compares too many objects with each other', () => {
    const check = compileSchema({ uniqueItems: true } as JsonSchema);
    expect(check(OBJECTS)).toEqual([{ path: '', message: TOO_MANY }]);
    expect(check(OBJECTS.slice(0, 3_000))).toEqual([]);
    expect(check([...OBJECTS.slice(0, 100), { tag: { part: 0 }, id: 0 }])).toHaveLength(1);
  });

  it('is rejected if a long text is tested against large patterns', () => {
    const pattern = '(a?){900}(b?){900}(c|d?){900}x';
    const schema = { anyOf: Array.from({ length: 50 }, () => ({ pattern })) } as JsonSchema;
    expect(schemaProblems(schema)).toEqual([]);
    expect(compileSchema(schema)('a'.repeat(10_000))).toEqual([{ path: '', message: TOO_MANY }]);
  });

  it('is rejected if the length of a long text is counted many times', () => {
    const check = compileSchema({ anyOf: Array.from({ length: 1_000 }, (_, i) => ({ maxLength: i })) } as JsonSchema);
    expect(check('é'.repeat(1_000_000))).toEqual([{ path: '', message: TOO_MANY }]);
  });
});

describe('an enum of 30,000 objects', () => {
  it('is registered at once, and its values are checked', () => {
    const schema = { enum: OBJECTS } as unknown as JsonSchema;
    expect(schemaProblems(schema)).toEqual([]);
    const check = compileSchema(schema);
    expect(check({ tag: { part: 29_999 % 7 }, id: 29_999 })).toEqual([]);
    expect(check({ id: -1 })).toHaveLength(1);
  });

  it('is rejected at registration by a draft that requires different values, which would compare all of them', () => {
    const schema = { $schema: 'http://json-schema.org/draft-07/schema#', enum: OBJECTS } as unknown as JsonSchema;
    expect(schemaProblems(schema)).toEqual([{ path: '', message: TOO_MANY, refused: true }]);
    expect(() => compileSchema(schema)).toThrow(`JSON Schema rejected: ${TOO_MANY}`);
  });
});

describe('a JSON Schema that would take hours to compile', () => {
  it('is compiled without copying a large part to each reference', () => {
    const properties = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`p${i}`, { type: 'string' }]));
    const anyOf = Array.from({ length: 1_000 }, () => ({ $ref: '#/$defs/large' }));
    const schema = { $defs: { large: { type: 'object', properties } }, items: { anyOf } } as JsonSchema;
    expect(schemaProblems(schema)).toEqual([]);
    expect(compileSchema(schema)([{ p1: 'a' }])).toEqual([]);
  });

  it('is rejected if it would have to note many properties in many places', () => {
    const properties = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`p${i}`, { type: 'string' }]));
    const anyOf = Array.from({ length: 5_000 }, () => ({ $ref: '#/$defs/large' }));
    const schema = { $defs: { large: { properties } }, anyOf, unevaluatedProperties: false } as unknown as JsonSchema;
    const message = expect.stringContaining('too large to compile with unevaluatedProperties');
    expect(schemaProblems(schema)).toEqual([{ path: '', message, refused: true }]);
  });

  it('is rejected if its references name a large part under many spellings', () => {
    const properties = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`p${i}`, { type: 'string' }]));
    const spellings = Array.from({ length: 1_024 }, (_, i) =>
      [...'$$$$$$$$$$'].map((_one, bit) => ((i >> bit) & 1 ? '%24' : '$')).join(''),
    );
    const anyOf = spellings.map((name) => ({ $ref: `#/$defs/${name}` }));
    const schema = { $defs: { $$$$$$$$$$: { properties } }, anyOf } as unknown as JsonSchema;
    const message = 'the schema is too large to compile; split it, or use fewer $ref to large parts';
    expect(schemaProblems(schema)).toEqual([{ path: '', message, refused: true }]);
    expect(() => compileStored(schema)).toThrow(`JSON Schema rejected: ${message}`);
  });

  it('is rejected if its patterns together have too many repetitions', () => {
    const problems = schemaProblems(REPEATS as unknown as JsonSchema);
    expect(problems[0]).toMatchObject({ refused: true, message: expect.stringContaining('repeat too often') });
  });
});

describe('counting steps', () => {
  it('accepts large values of ordinary schemas', () => {
    const list = compileSchema({ type: 'array', items: { type: 'integer', minimum: 0 } } as JsonSchema);
    expect(list(Array.from({ length: 5_000_000 }, (_, i) => i))).toEqual([]);
    const order = {
      type: 'object',
      required: ['id', 'lines'],
      properties: {
        id: { type: 'string', pattern: '^O-\\d+$' },
        lines: { type: 'array', items: { anyOf: [{ type: 'null' }, { $ref: '#/$defs/line' }] } },
      },
      $defs: { line: { type: 'object', properties: { sku: { type: 'string' }, qty: { type: 'integer' } } } },
    };
    const orders = compileSchema({ ...order, type: 'array', items: order } as unknown as JsonSchema);
    const lines = Array.from({ length: 50 }, (_, i) => (i % 2 ? null : { sku: `S-${i}`, qty: i }));
    expect(orders(Array.from({ length: 5_000 }, (_, i) => ({ id: `O-${i}`, lines })))).toEqual([]);
  });

  it('does not change what a schema accepts and reports, whatever its names are', () => {
    const names = ['for', 'while', 'function', 'errors++;', 'const err0 = ', '{', '}', '("', '\\', "'", '`${', '/*', 'é', 'scope.func[0]', 'Object.keys(', 'vErrors.concat(']; // biome-ignore format: one line
    const properties = Object.fromEntries(
      names.map((name) => [name, { type: 'object', required: names, uniqueItems: true, maxLength: 2, enum: [{ [name]: 1 }, name] }]), // biome-ignore format: one line
    );
    const schema = {
      properties,
      patternProperties: { '[{"]for\\(': { minProperties: 2 } },
      unevaluatedProperties: { $ref: '#/$defs/rest' },
      $defs: {
        rest: { anyOf: [{ $ref: '#/$defs/leaf' }, { items: { $ref: '#' } }], const: names },
        leaf: { const: 1 },
      },
      dependentRequired: { for: ['while'] },
      propertyNames: { maxLength: 12 },
    } as unknown as JsonSchema;
    const plain = new Ajv2020({ allErrors: true, strict: false, validateFormats: false }).compile(schema);
    const check = compileSchema(schema);
    const values = [1, 'text', [1, 1, [1]], { id: 1 }, { for: 'for' }, { '{': {}, '}': [{}, {}], x: names, y: 1 }];
    const objects = names.map((name) => ({ [name]: { [name]: 1 }, rest: [{ [name]: name }], '[{"for(': {} }));
    for (const value of [...values, ...objects]) {
      plain(value);
      const paths = (plain.errors ?? []).map(({ instancePath }) => instancePath);
      expect(check(value).map(({ path }) => path)).toEqual(paths.slice(0, 100));
    }
  });
});

describe('a schema that would take hours to compile is rejected at registration', () => {
  it.each([
    ['the payload of a signal', { type: 'signal', signal: { name: 'go', schema: REPEATS } }],
    ['the form of an approval', { type: 'approval', approval: { title: 'Pay?', form: REPEATS } }],
    [
      'the payload of an event',
      { handler: 'ask', publishes_events: [{ name: 'order.paid', description: 'paid', schema: REPEATS }] },
    ],
  ])('for %s', (_, step) => {
    const text = JSON.stringify({
      name: 'demo',
      namespace: 'test',
      version: '1.0.0',
      steps: [{ name: 'ask', ...step }],
    });
    expect(() => mustParseTemplate(text)).toThrow('repeat too often');
  });
});
