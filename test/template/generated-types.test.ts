import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { typesOf } from '../../src/template/generate/template-types.ts';
import { typesOfSchema } from '../../src/template/generate/types-of-schema.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';
import { problemsOf, type SharedSources } from '../support/type-check.ts';
import { publishing } from './templates.ts';

const shared: SharedSources = new Map();
afterAll(() => shared.clear());

/** Returns the errors of the compiler for generated text, followed by `use`. */
function compiled(text: string, use = ''): string[] {
  return problemsOf(new Map([[path.resolve('generated-types-test.ts'), `${text}\n${use}\n`]]), shared);
}

function typed(schema: unknown): { text: string; unknown: string[] } {
  const { declarations, unknown } = typesOfSchema(schema, { name: 'T', stem: '', comment: [], taken: new Set(['T']) });
  return { text: declarations.join('\n'), unknown };
}

const ORDER = {
  type: 'object',
  description: 'An order.\n\nIn cents */ always.',
  required: ['id', 'lines', 'customer'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', description: 'Ours.' },
    'gift-note': { type: ['string', 'null'], deprecated: true },
    state: { enum: ['new', "it's", 3, null] },
    kind: { const: 'order' },
    lines: { type: 'array', items: { $ref: '#/$defs/line' } },
    at: { type: 'array', prefixItems: [{ type: 'number' }, { type: 'number' }], items: false, minItems: 1 },
    customer: {
      oneOf: [{ type: 'object', required: ['email'], properties: { email: { type: 'string' } } }, { type: 'integer' }],
    },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    parent: { $ref: '#' },
    nickname: { type: 'string', nullable: true },
    both: {
      allOf: [
        { properties: { a: { type: 'string' } } },
        { type: 'object', required: ['b'], properties: { b: { type: 'boolean' } } },
      ],
    },
    anything: {},
    nothing: false,
  },
  $defs: {
    line: { type: 'object', required: ['sku'], properties: { sku: { type: 'string' }, of: { $ref: '#/$defs/line' } } },
  },
};

describe('the file of types generated from templates', () => {
  it('contains the results of steps that wait, which have no handler to declare them', () => {
    const waiting = publishing(
      {},
      {
        steps: [
          { name: 'trial', type: 'timer', timer: { for: '14d' } },
          { name: 'sign off', type: 'approval', approval: { title: 'Pay?' } },
          { name: 'bill', type: 'task', template: 'invoice' },
          { name: 'safe', type: 'task', template: 'invoice', on_failure: 'continue' },
          { name: 'stop', type: 'fail', message: 'no', when: 'context.bad' },
          { name: 'paid', type: 'signal', signal: { name: 'payment', schema: { type: 'integer' } } },
          { name: 'all', type: 'signal', signal: { name: 'payment', schema: { type: 'integer' }, count: 2 } },
          { name: 'any', type: 'signal', signal: { name: 'note' } },
          {
            name: 'first',
            type: 'signal',
            signal: { names: ['payment', 'refusal'], schemas: { payment: { type: 'integer' } } },
          },
        ],
      },
    );
    const { text } = typesOf([waiting]);
    expect(text).toContain(`export interface WaitResults {
  'demo/demo@1.0.0': {
    trial: TimerResult;
    'sign off': ApprovalResult;
    bill: unknown;
    safe: { task_uuid: string; state: string; output: unknown; error: { type: string; message: string } | null };
    stop: { message: string };
    paid: PaymentSignal;
    all: PaymentSignal[];
    any: unknown;
    first: { name: 'payment'; payload: PaymentSignal } | { name: 'refusal'; payload: unknown };
  };
}
`);
    const use = `declare const results: WaitResults['demo/demo@1.0.0'];
      const due: string = results.trial.due_at;
      const by: string | null = results['sign off'].by;
      const sum: number = results.paid + results.all[0]!;
      export { due, by, sum };`;
    expect(compiled(text, use)).toEqual([]);
    expect(typesOf([publishing({ a: [] })]).text).not.toContain('WaitResults');
  });

  it('contains the results of steps with a result_schema, and the outputs of tasks', () => {
    const cents = { type: 'object', required: ['cents'], properties: { cents: { type: 'integer' } } };
    const template = mustParseTemplate(
      JSON.stringify({
        name: 'order',
        namespace: 'shop',
        version: '1.0.0',
        steps: [
          { name: 'price', handler: 'price', result_schema: cents },
          { name: 'ship-it', handler: 'ship', depends_on: ['price'], result_schema: { type: 'string' } },
          { name: 'plain', handler: 'plain' },
        ],
        output: { paid: 'steps.price.cents', of: 'context.id' },
      }),
    );
    const { text, unknown } = typesOf([template, { ...template, version: '2.0.0', outputSchema: { ...cents } }]);
    const use = `declare const r: StepResults['shop/order@1.0.0'], o: TaskOutputs['shop/order@1.0.0'];
const cents: number = r.price.cents, no: string = r['ship-it'], paid: unknown = o.paid;
const second: number = (null as unknown as TaskOutputs['shop/order@2.0.0']).cents;
// @ts-expect-error: the step has no result_schema
r.plain;
// @ts-expect-error: the output has no such value
o.piad;`;
    expect([compiled(text, use), unknown]).toEqual([[], []]);
    expect(text.match(/interface ShopOrderPriceResult/g)).toHaveLength(1);
  });

  it('has a type for each payload and a map from events to these types', () => {
    const paid = publishing({
      pay: [
        [
          'payment.processed',
          {
            type: 'object',
            required: ['amount'],
            properties: { amount: { type: 'integer', description: 'In cents.' } },
          },
        ],
      ],
    });
    expect(
      typesOf([paid]).text,
    ).toBe(`// Written by \`tasker generate types\` from the project's templates: change those, and run it again.

import type {} from 'tasker-core';

/**
 * payment processed
 * Published by step pay of demo/demo@1.0.0.
 */
export interface PaymentProcessedPayload {
  /** In cents. */
  amount: number;
}

/** The payload of each event, by its name. */
export interface EventPayloads {
  'payment.processed': PaymentProcessedPayload;
}

declare module 'tasker-core' {
  /** The requests that createTask accepts. */
  interface TaskTypes {
    'demo/demo@1.0.0': { namespace: 'demo'; name: 'demo'; version: '1.0.0'; active: true; context: Record<string, unknown> };
  }
}
`);
  });

  it('has the TypeScript types of objects, arrays, tuples, enums, unions, null and references', () => {
    const { text, unknown } = typed(ORDER);
    expect(unknown).toEqual([]);
    expect(text).toBe(`/**
 * An order.
 *
 * In cents *\\/ always.
 */
export interface T {
  /** Ours. */
  id: string;
  /** @deprecated */
  'gift-note'?: string | null;
  state?: 'new' | 'it\\'s' | 3 | null;
  kind?: 'order';
  lines: Line[];
  at?: [number, number?];
  customer: {
    email: string;
  } | number;
  labels?: {
    [key: string]: string;
  };
  parent?: T;
  nickname?: string | null;
  both?: {
    a?: string;
  } & {
    b: boolean;
  };
  anything?: unknown;
  nothing?: never;
}

export interface Line {
  sku: string;
  of?: Line;
}
`);
    const order = `{ id: 'a', lines: [{ sku: 'x', of: { sku: 'y' } }], customer: 3, at: [1], state: "it's", labels: { a: 'b' }, both: { b: true } }`;
    expect(
      compiled(text, `export const order: T = ${order};\nexport const parent: T = { ...order, parent: order };`),
    ).toEqual([]);
    const wrong = [
      '{}',
      `{ ...${order}, id: 3 }`,
      `{ ...${order}, at: [] }`,
      `{ ...${order}, state: 'old' }`,
      `{ ...${order}, both: { a: 'b' } }`,
    ];
    const use = wrong.map((value, index) => `export const wrong${index}: T = ${value};`);
    const firstLine = text.split('\n').length + 1;
    expect(compiled(text, use.join('\n')).map((problem) => /line (\d+)/.exec(problem)![1])).toEqual(
      wrong.map((_, index) => String(firstLine + index)),
    );
  });

  it('uses `unknown` for schemas that TypeScript cannot express, and lists their paths', () => {
    const { text, unknown } = typed({
      type: 'object',
      properties: {
        a: { not: { type: 'string' } },
        b: { $ref: 'https://json-schema.org/draft/2020-12/schema' },
        c: { type: 'object', properties: { x: { type: 'string' } }, additionalProperties: { type: 'number' } },
        d: { type: 'object', patternProperties: { '^x': { type: 'string' } } },
        e: { $ref: '#/$defs/e' },
        f: { items: { $ref: '#/$defs/tree' } },
      },
      $defs: {
        e: { anyOf: [{ type: 'string' }, { $ref: '#/$defs/f' }] },
        f: { $ref: '#/$defs/e' },
        tree: { anyOf: [{ type: 'null' }, { type: 'array', items: { $ref: '#/$defs/tree' } }] },
      },
    });
    expect(unknown).toEqual([
      '/properties/a: no type can express not',
      '/properties/b: the reference https://json-schema.org/draft/2020-12/schema cannot be resolved within the schema',
      '/properties/c/additionalProperties: unlisted properties are unknown',
      '/properties/d/patternProperties: properties by pattern are unknown',
      '/$defs/f: the reference #/$defs/e refers to itself',
    ]);
    expect(text).toContain('export type Tree = null | Tree[];');
    expect(compiled(text, `export const t: T = { a: 1, c: { x: 'a', y: 2 }, f: [null, [[]]] };`)).toEqual([]);
  });

  it('has a union for an event that is declared with different schemas, with a warning', () => {
    const a = publishing({
      pay: [['a.b', { type: 'object', required: ['x'], properties: { x: { type: 'string' } } }]],
    });
    const b = publishing(
      { pay: [['a.b', { type: 'object', required: ['y'], properties: { y: { type: 'number' } } }]] },
      { version: '2.0.0' },
    );
    const { text, warnings } = typesOf([b, a]);
    expect(warnings).toEqual([
      expect.stringContaining('a.b is declared with 2 schemas: by step pay of demo/demo@1.0.0'),
    ]);
    expect(text).toContain('export type ABPayload = ABPayload1 | ABPayload2;');
    expect(text).toContain("  'a.b': ABPayload;");
    expect(typesOf([a, b]).text).toBe(text);
  });

  it('has unique names that are identifiers', () => {
    const schema = {
      type: 'object',
      properties: { money: { $ref: '#/$defs/payload' } },
      $defs: { payload: { type: 'object' } },
    };
    const names = ['a_b.c', 'a.b_c', '2fa.on', 'event.payloads', 'a.b', 'constructor.name'];
    const template = publishing(
      { s: names.map((name) => [name, schema]) },
      { namespace: 'n', name: 'ä ö-1', input_schema: { type: 'object', properties: { n: { type: 'number' } } } },
    );
    const { text, counts } = typesOf([template]);
    expect(counts).toEqual({ events: 6, inputs: 1 });
    expect(compiled(text, `export const input: TaskInputs['n/ä ö-1@1.0.0'] = { n: 1 };`)).toEqual([]);
    expect([...text.matchAll(/^export (?:interface|type) (\S+)/gm)].map(([, name]) => name)).toContain('_2faOnPayload');
  });

  it('has one input type for versions with equal schemas, and separate types for different schemas', () => {
    const input = (properties: object, version: string) =>
      publishing({ s: [] }, { version, input_schema: { type: 'object', properties } });
    const { text } = typesOf([
      input({ a: { type: 'string' } }, '2'),
      input({}, '3'),
      input({ a: { type: 'string' } }, '1'),
    ]);
    expect(text).toContain(
      "'demo/demo@1': DemoDemoInput;\n  'demo/demo@2': DemoDemoInput;\n  'demo/demo@3': DemoDemoInput2;",
    );
  });

  it('makes createTask and run check their requests, with helpful compile errors', () => {
    const bill = publishing(
      {},
      {
        steps: [{ name: 's', handler: 'h' }],
        namespace: 'shop',
        name: 'bill',
        default_context: { currency: 'EUR', "it's": 1 },
        input_schema: {
          type: 'object',
          required: ['amount', 'currency'],
          properties: { amount: { type: 'integer' }, currency: { enum: ['EUR', 'USD'] } },
        },
      },
    );
    const { text } = typesOf([publishing({ s: [] }), bill, publishing({ s: [] })]);
    const use = (...calls: string[]) =>
      compiled(
        `import type { Tasker } from 'tasker-core';\nimport type { TestTasker } from 'tasker-core/testing';\n${text}`,
        `declare const t: Tasker;\ndeclare const kit: TestTasker;\ndeclare const name: string;\n${calls.join('\n')}`,
      ).map((problem) => problem.replace(/^.*?\): /, ''));
    expect(
      use(
        "void t.createTask({ namespace: 'shop', name: 'bill', context: { amount: 1 } });",
        "void t.createTasks([{ namespace: 'demo', name: 'demo' }, { namespace: 'shop', name: 'bill', context: { amount: 1 } }]);",
        "void kit.run({ namespace: 'shop', name: 'bill', context: { amount: 1, currency: 'USD' } });",
        'void t.createTask({ name, context: { a: 1 } }); void kit.run({ context: { a: 1 } });',
      ),
    ).toEqual([]);
    expect(use("void t.createTask({ namespace: 'shop', name: 'bil', context: { amount: 1 } });")).toEqual([
      `Type '"bil"' is not assignable to type '"demo" | "bill"'. Did you mean '"bill"'?`,
    ]);
    expect(use("void kit.run({ namespace: 'shp', name: 'bill', context: { amount: 1 } });")).toEqual([
      `Type '"shp"' is not assignable to type '"shop"'.`,
    ]);
    expect(use("void t.createTask({ name: 'bill', context: { amount: 1 } });")).toEqual([
      expect.stringContaining(
        `Property 'namespace' is missing in type '{ name: "bill"; context: { amount: number; }; }' but required in type 'KnownRequest<"shop/bill@1.0.0", TaskTypes, TaskRequest>'`,
      ),
    ]);
    expect(use("void t.createTask({ namespace: 'shop', name: 'bill', context: { amount: 'much' } });")).toEqual([
      "Type 'string' is not assignable to type 'number'.",
    ]);
  });

  it('causes the compile errors that the guide to embedding shows', () => {
    const schema = { type: 'object', required: ['order_id'], properties: { order_id: { type: 'string' } } };
    const shop = ['order', 'refund'].map((name) =>
      publishing({}, { steps: [{ name: 's', handler: 'h' }], namespace: 'shop', name, input_schema: schema }),
    );
    const page = readFileSync('docs/guide/embedding.md', 'utf8');
    const [, shown] = /```text\n(await tasker\.createTask.*?)```/s.exec(page)!;
    const calls = [...shown!.matchAll(/^await (.*)\n\/\/ (.*)$/gm)];
    expect(calls).toHaveLength(2);
    for (const [, call, error] of calls) {
      const program = `declare const tasker: Tasker;\nvoid ${call}`;
      const problems = compiled(`import type { Tasker } from 'tasker-core';\n${typesOf(shop).text}`, program);
      expect(problems.map((problem) => problem.replace(/^.*?\): /, ''))).toEqual([error]);
    }
  });

  it('accepts every value that the schema accepts', () => {
    const check = new Ajv2020({ strict: false });
    const seed = Date.now() % 2 ** 31;
    const taken = new Set<string>();
    const lines = fc.sample(rootSample, { numRuns: 300, seed }).flatMap(({ schema, value }, index) => {
      expect([schema, value, check.validate(schema, value)]).toEqual([schema, value, true]);
      const name = `T${index}`;
      const { declarations } = typesOfSchema(schema, { name, stem: `S${index}`, comment: [], taken });
      return [...declarations, `export const value${index}: ${name} = ${JSON.stringify(value)};`];
    });
    expect([seed, compiled(lines.join('\n'))]).toEqual([seed, []]);
  });
});

interface Sample {
  schema: object;
  value: unknown;
}

const key = fc.constantFrom('a', 'b_c', 'd-e', '2', "it's", '__proto_', 'constructor', '*/');
const leaf: fc.Arbitrary<Sample> = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((value) => ({ schema: { type: 'string', description: value }, value })),
  fc.integer().map((value) => ({ schema: { type: 'integer' }, value })),
  fc.boolean().map((value) => ({ schema: { type: ['boolean', 'string'] }, value })),
  fc.constant({ schema: { type: 'string', nullable: true }, value: null }),
  fc.jsonValue({ maxDepth: 1 }).map((value) => ({ schema: {}, value })),
  fc.oneof(fc.string(), fc.integer(), fc.constant(null)).map((value) => ({ schema: { const: value }, value })),
  fc
    .uniqueArray(fc.oneof(fc.string(), fc.integer()), { minLength: 1 })
    .map((values) => ({ schema: { enum: values }, value: values[0] })),
);

/** A schema and a value that it accepts. */
const { sample } = fc.letrec<{ sample: Sample }>((tie) => ({
  sample: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc
      .uniqueArray(fc.record({ key, sample: tie('sample'), required: fc.boolean() }), {
        selector: (one) => one.key,
        maxLength: 4,
      })
      .map((members) => ({
        schema: {
          type: 'object',
          properties: Object.fromEntries(members.map((one) => [one.key, one.sample.schema])),
          required: members.filter(({ required }) => required).map((one) => one.key),
        },
        value: Object.fromEntries(members.map((one) => [one.key, one.sample.value])),
      })),
    tie('sample').map(({ schema, value }) => ({ schema: { type: 'array', items: schema }, value: [value, value] })),
    fc.array(tie('sample'), { minLength: 1, maxLength: 3 }).map((items) => ({
      schema: { type: 'array', prefixItems: items.map(({ schema }) => schema), minItems: items.length, items: false },
      value: items.map(({ value }) => value),
    })),
    tie('sample').map(({ schema, value }) => ({
      schema: { type: 'object', additionalProperties: schema },
      value: { x: value },
    })),
    fc
      .tuple(tie('sample'), leaf)
      .map(([one, other]) => ({ schema: { anyOf: [other.schema, one.schema] }, value: one.value })),
  ),
}));

/** Generates schemas, some of which refer to parts of themselves. */
const rootSample = fc.oneof(
  sample,
  sample.map(({ schema, value }) => ({
    schema: {
      type: 'object',
      required: ['it'],
      properties: { it: { $ref: '#/$defs/it~1a' }, self: { $ref: '#' } },
      $defs: { 'it/a': schema },
    },
    value: { it: value, self: { it: value } },
  })),
);
