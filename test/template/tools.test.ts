import { describe, expect, it } from 'vitest';
import { handlersOf } from '../../src/template/generate/handler-stubs.ts';
import { zodTypesOf } from '../../src/template/generate/zod-types.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';
import { compareSchemas } from '../../src/template/tools/compare-schemas.ts';
import { diffTemplates } from '../../src/template/tools/diff-templates.ts';
import { inspectTemplate, validateTemplate } from '../../src/template/tools/inspect-template.ts';

const TEMPLATE = `name: fulfil_order
namespace: shop_ts
version: 1.0.0
input_schema: { type: object, required: [order_id], properties: { order_id: { type: string } } }
steps:
  - name: price_cart
    handler: cart.price
    result_schema:
      type: object
      required: [total, lines]
      properties:
        total: { type: integer }
        lines: { type: array, items: { type: object, required: [sku], properties: { sku: { type: string } } } }
        currency: { enum: [EUR, USD] }
        "it's": { oneOf: [{ type: string }] }
        extra: { type: object, additionalProperties: { type: number } }
  - name: charge-card
    handler: card.charge
    dependencies: [price_cart]
    result_schema: { type: object, properties: { paid: { type: boolean } } }
  - { name: pause, type: timer, timer: { for: 1h }, dependencies: [charge-card] }
  - { name: ship, handler: ship, dependencies: [price_cart, pause] }
`;

const object = (properties: object, required: string[] = []) => ({ type: 'object', properties, required });
const text = { type: 'string' };

describe('the validation of a template', () => {
  it('assigns each finding a code, a severity and its step', () => {
    const broken = `name: a
namespace: n
version: 1.0.0
steps:
  - { name: one, handler: h, dependencies: [one] }
  - { name: two, handler: h, dependencies: [nowhere, three] }
  - { name: two, handler: h }
  - { name: three, handler: h, dependencies: [two] }
  - { name: four, handler: '' }
  - { name: five, handler: { callable: '' } }
`;
    const { valid, findings, step_count: count, has_cycles: hasCycles } = validateTemplate(broken);
    expect([valid, count, hasCycles]).toEqual([false, 6, true]);
    expect(findings.filter(({ severity }) => severity === 'error').map(({ code, step }) => [code, step])).toEqual(
      expect.arrayContaining([
        ['SELF_DEPENDENCY', 'one'],
        ['MISSING_DEP_REF', 'two'],
        ['DUPLICATE_STEP_NAME', 'two'],
        ['EMPTY_CALLABLE', 'four'],
        ['EMPTY_CALLABLE', 'five'],
      ]),
    );
    const cycle = TEMPLATE.replace('handler: cart.price', 'handler: cart.price\n    dependencies: [ship]');
    expect(validateTemplate(cycle)).toMatchObject({ valid: false, has_cycles: true });
    const long = TEMPLATE.replace('shop_ts', 'n'.repeat(30));
    expect(validateTemplate(long).findings[0]).toMatchObject({ code: 'NAMESPACE_TOO_LONG', severity: 'error' });
    expect(validateTemplate(': no').valid).toBe(false);
    expect(validateTemplate('').valid).toBe(false);
  });

  it('warns about schemas that are not objects and about orphans, and reports missing schemas', () => {
    const poor = `name: a
namespace: n
version: 1.0.0
input_schema: { type: array }
steps:
  - { name: one, handler: h, result_schema: { type: string } }
  - { name: two, handler: h, dependencies: [one] }
  - { name: alone, handler: h, result_schema: { type: object } }
`;
    const { valid, findings, has_cycles: hasCycles } = validateTemplate(poor);
    expect([valid, hasCycles]).toEqual([true, false]);
    expect(findings.map(({ code, severity, step }) => [code, severity, step])).toEqual([
      ['SCHEMA_NOT_OBJECT', 'warning', null],
      ['SCHEMA_NOT_OBJECT', 'warning', 'one'],
      ['NO_RESULT_SCHEMA', 'info', 'two'],
      ['ORPHAN_STEP', 'warning', 'alone'],
    ]);
  });
});

describe('the comparison of schemas', () => {
  it('finds missing, extra and changed fields, including fields inside objects and arrays', () => {
    const codes = (made: object, wanted: object) => {
      const { compatibility, findings } = compareSchemas(made as never, wanted as never);
      return [compatibility, ...findings.map(({ code, field }) => `${code} ${field}`)];
    };
    expect(codes(object({ a: text }, ['a']), object({ a: text }, ['a']))).toEqual(['compatible']);
    expect(codes(object({ a: { type: 'integer' } }), object({ a: { type: 'number' } }))).toEqual(['compatible']);
    expect(codes(object({}), object({ a: text }))).toEqual(['compatible_with_warnings', 'MISSING_OPTIONAL_FIELD a']);
    expect(codes(object({ b: text }), object({}))).toEqual(['compatible_with_warnings', 'EXTRA_PRODUCER_FIELD b']);
    expect(codes(object({ a: text }), object({ a: text }, ['a']))).toEqual([
      'incompatible',
      'MISSING_REQUIRED_FIELD a',
    ]);
    expect(codes(object({}), object({}, ['a']))).toEqual(['incompatible', 'MISSING_REQUIRED_FIELD a']);
    const list = (items: object) => object({ list: { type: 'array', items } });
    expect(codes(list(object({ n: text })), list(object({ n: { type: ['number', 'null'] } })))).toEqual([
      'incompatible',
      'TYPE_MISMATCH list[].n',
    ]);
    expect(codes(object({ constructor: text }), object({ toString: text }))).toEqual([
      'compatible_with_warnings',
      'MISSING_OPTIONAL_FIELD toString',
      'EXTRA_PRODUCER_FIELD constructor',
    ]);
  });
});

describe('the difference between versions of a template', () => {
  const version = (steps: string, input = '') =>
    mustParseTemplate(`name: a\nnamespace: n\nversion: 1.0.0\n${input}\nsteps:\n${steps}`);
  const step = (name: string, schema?: object) =>
    `  - { name: ${name}, handler: h${schema ? `, result_schema: ${JSON.stringify(schema)}` : ''} }\n`;

  it('lists added, removed and changed steps, schemas and fields, and marks breaking changes', () => {
    const before = version(
      step('kept') +
        step('gone') +
        step('a', object({ x: text, y: text, z: text }, ['x', 'z'])) +
        step('s', object({})),
    );
    const after = version(
      step('kept') +
        step('new') +
        step('a', object({ y: text, z: { type: 'number' }, w: text }, ['y', 'z'])) +
        step('s'),
      'input_schema: { type: object }',
    );
    const { breaking, steps, findings } = diffTemplates(before, after);
    expect(breaking).toBe(true);
    expect(Object.fromEntries(steps.map(({ step, status }) => [step, status]))).toEqual({
      kept: 'unchanged',
      gone: 'removed',
      new: 'added',
      a: 'modified',
      s: 'modified',
    });
    expect(findings.map((one) => [one.code, one.breaking, one.step, one.field])).toEqual([
      ['SCHEMA_ADDED', false, null, null],
      ['STEP_REMOVED', true, 'gone', null],
      ['FIELD_REMOVED', true, 'a', 'x'],
      ['OPTIONAL_TO_REQUIRED', true, 'a', 'y'],
      ['TYPE_CHANGED', true, 'a', 'z'],
      ['FIELD_ADDED', false, 'a', 'w'],
      ['SCHEMA_REMOVED', true, 's', null],
      ['STEP_ADDED', false, 'new', null],
    ]);
    expect(diffTemplates(before, before)).toMatchObject({ breaking: false, findings: [] });
    const relaxed = diffTemplates(
      version(step('a', object({ x: text, y: text }, ['x']))),
      version(step('a', object({ x: text }))),
    );
    expect(relaxed.findings.map(({ code }) => code)).toEqual(['REQUIRED_TO_OPTIONAL', 'FIELD_REMOVED']);
    expect(relaxed.breaking).toBe(false);
  });
});

describe('the inspection of a template', () => {
  it('lists the order of the steps, roots, leaves, dependents and counts of fields', () => {
    const found = inspectTemplate(mustParseTemplate(TEMPLATE));
    expect(found).toMatchObject({
      step_count: 4,
      execution_order: ['price_cart', 'charge-card', 'pause', 'ship'],
      root_steps: ['price_cart'],
      leaf_steps: ['ship'],
      input_schema: { fields: 1, required_fields: 1 },
    });
    expect(found.steps[0]).toMatchObject({
      depends_on: [],
      dependents: ['charge-card', 'ship'],
      result_schema: { fields: 5, required_fields: 2 },
    });
  });
});

describe('generated code', () => {
  it('has zod schemas and their types for inputs and results', () => {
    const { text: made, count } = zodTypesOf([mustParseTemplate(TEMPLATE)]);
    expect(count).toBe(3);
    expect(made).toContain(
      'export const FulfilOrderInputSchema = z.object({\n  order_id: z.string(),\n}).passthrough();',
    );
    expect(made).toContain('export type ShopPriceCartResult = z.infer<typeof ShopPriceCartResultSchema>;');
    expect(made).toContain(
      "  lines: z.array(z.object({\n    sku: z.string(),\n  }).passthrough()),\n  currency: z.enum(['EUR', 'USD']).optional(),\n",
    );
    expect(made).toContain(
      "  'it\\'s': z.unknown().optional(),\n  extra: z.record(z.string(), z.number()).optional(),\n",
    );
  });

  it('has a stub for each callable, with the results that it depends on', () => {
    const template = mustParseTemplate(TEMPLATE);
    const { names } = zodTypesOf([template]);
    const made = handlersOf(template, { models: { names: names.get(template)!, from: '../models/x.ts' } })!;
    expect(made).toMatch(
      /^import \{ defineHandler \} from 'tasker-core';\nimport \{ .*ShopPriceCartResultSchema.* \} from '\.\.\/models\/x\.ts';\n/,
    );
    expect(made).toContain(`export const chargeCard = defineHandler(
  'card.charge',
  { depends: { priceCart: ['price_cart', ShopPriceCartResultSchema] } },
  async ({ priceCart, context }): Promise<ShopChargeCardResult> => {
    throw new Error('card.charge is not implemented');
  },
);`);
    expect(made).not.toContain('wait.timer');
    expect(handlersOf(template, { step: 'ship' })).toContain(
      "{ depends: { priceCart: 'price_cart', pause: 'pause' } },",
    );
    expect(handlersOf(template, { step: 'pause' })).toBeUndefined();
    const odd = mustParseTemplate(
      `{ name: a, namespace: n, version: 1.0.0, steps: [{ name: class, handler: "x'y" }, { name: "1st", handler: z, dependencies: [class] }] }`,
    );
    expect(handlersOf(odd)).toContain("export const class2 = defineHandler(\n  'x\\'y',");
    expect(handlersOf(odd)).toContain('depends: { class2: ');
  });
});
