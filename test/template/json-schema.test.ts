import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TaskerError } from '../../src/errors.ts';
import { templateJsonSchema } from '../../src/template/generate/template-json-schema.ts';
import { compileSchema, schemaProblems } from '../../src/template/json-schema-check.ts';
import { parseTemplate } from '../../src/template/parse-template.ts';
import { cpuMs, HEAD } from './templates.ts';

const published: unknown = JSON.parse(readFileSync('schemas/task-template.json', 'utf8'));

describe('the published JSON Schema', () => {
  const validate = new Ajv2020({ validateFormats: false, allowUnionTypes: true }).compile(templateJsonSchema());

  /** Lists problems that only the parser can find, because the form of the template is valid. */
  const BEYOND_THE_FORM = new Set([
    'no_attempts',
    'backoff_short',
    'unknown_step',
    'dependency_cycle',
    'bad_schema',
    'nothing_to_converge',
  ]);

  function agree(text: string): boolean {
    const inForm = parseTemplate(text).problems.filter(({ code }) => !BEYOND_THE_FORM.has(code)).length === 0;
    expect([text, validate(parse(text))]).toEqual([text, inForm]);
    return inForm;
  }

  it('is generated from the parser’s form by scripts/write-json-schema.mjs', () => {
    expect(published).toEqual(JSON.parse(JSON.stringify(templateJsonSchema())));
  });

  const step = (fields: string) => `${HEAD}steps:\n  - {name: a, handler: h${fields}}\n`;
  const wait = (fields: string) => `${HEAD}steps:\n  - {name: a, ${fields}}\n`;
  const timer = (fields: string) => wait(`type: timer, timer: ${fields}`);
  const signal = (fields: string) => wait(`type: signal, signal: {name: s${fields}}`);
  const approval = (fields: string) => wait(`type: approval, approval: {title: t${fields}}`);

  it('accepts every template that the parser accepts', () => {
    const good = [
      step(''),
      step(', description: , retry: , depends_on: , timeout_seconds: ~'),
      step(', retry: {max_attempts: 0}'),
      step(', retry: {for: 30m, rules: [{error: a, max_attempts: 5}, {error: [b, c], retryable: false}]}'),
      step(', retry: {for: 90, rules: []}'),
      step(', retry: {backoff_base_ms: 1, max_backoff_ms: 1}'),
      step(
        ', retry: {retryable: false, max_attempts: 100, backoff: none, backoff_base_ms: 100, max_backoff_ms: 3600000}',
      ),
      step(', composition: [anything, 3]'),
      step(', depends_on: [not_there]'),
      step(', type: deferred_convergence'),
      step(', result_schema: {type: nonsense}'),
      step(', publishes_events: [{name: a.b_1.c, description: d, schema: {}, condition: always, publisher: "A::B.c"}]'),
      `${HEAD}steps: [{name: a, handler: {callable: h, method: m, resolver: r, initialization: {x: [1]}}}]`,
      `name: "${'n'.repeat(64)}"\nnamespace_name: _n\nversion: v-1 b\nsteps: [{name: "ä ö", handler: a b}]`,
      `${step('')}metadata: {author: a, tags: [b], created_at: 2026-01-02T03:04:05.6Z}\n`,
      `${step('')}metadata: {notes: [a], blog_post: x}\n`,
      `${step('')}metadata: {}\nlifecycle: {}\nsystem_dependencies: {}\nenvironments: {a: {}, b: , c: {steps: [{name: ALL, retry: {}, handler: {}}]}}\n`,
      `${step('')}identity_strategy: caller_provided\ndefault_context: {a: 1}\ndefault_options: {priority: -5, tags: [a], initiator: i, source_system: s, reason: r}\ndomain_events: [{name: x}]\n`,
      `${step('')}lifecycle: {max_duration_minutes: 43200, staleness_action: none, auto_fail_on_timeout: true}\n`,
      wait('step_type: timer, handler: , signal: , publishes_events: [], timer: {for: P1DT2H3M4.5S, until: }'),
      ...['0', '90', '1.5', '90s', '1.5h', 'P3W', 'PT0.5S'].map((given) => timer(`{for: ${given}}`)),
      timer('{until: {context: ship_at, step: }}'),
      signal(''),
      signal(
        ', timeout: 7d, on_timeout: complete, default: {a: 1}, count: 3, on_unknown: keep, schema: {type: object}',
      ),
      approval(''),
      approval(', form: {}, assignees: [a, b], quorum: 2, reject_quorum: 2, on_reject: fail, remind_after: 1d'),
      approval(', escalate_after: 3d, escalate_to: [c], timeout: P30D'),
      approval(', escalate_to: []'),
      step(', wait: {timeout: 24h, max_calls: 1000, repeatable: false}'),
      `${step('')}lifecycle: {max_waiting_minutes: 5259600}\n`,
    ];
    expect(good.filter((text) => !agree(text))).toEqual([]);
  });

  it('rejects every template that the parser rejects, and keys that the parser warns about', () => {
    const bad = [
      'name: a\n',
      `${HEAD}steps: []`,
      `${HEAD}steps: {a: b}`,
      `${HEAD}steps:`,
      `${HEAD}steps: [a]`,
      `${HEAD}steps: [{name: a}]`,
      `${HEAD}steps: [{handler: h}]`,
      `${HEAD}steps: [{name: a, handler: }]`,
      `${HEAD}steps: [{name: a, handler: ""}]`,
      `${HEAD}steps: [{name: a, handler: [h]}]`,
      `${HEAD}steps: [{name: a, handler: {method: m}}]`,
      `${HEAD}steps: [{name: a, handler: {callable: h, initialization: [1]}}]`,
      `${HEAD}namespace_name: demo\nsteps: [{name: a, handler: h}]`,
      `name: a\nversion: "1"\nsteps: [{name: a, handler: h}]`,
      `name: a\nnamespace: 1a\nversion: "1"\nsteps: [{name: a, handler: h}]`,
      `name: a\nnamespace: ${'n'.repeat(30)}\nversion: "1"\nsteps: [{name: a, handler: h}]`,
      `name: a\nnamespace: n\nversion: 1.0\nsteps: [{name: a, handler: h}]`,
      `name: " a"\nnamespace: n\nversion: "1"\nsteps: [{name: a, handler: h}]`,
      `name: "a\\tb"\nnamespace: n\nversion: "1"\nsteps: [{name: a, handler: h}]`,
      step(', type: standard, step_type: standard'),
      step(', depends_on: [], dependencies: []'),
      step(', depends_on: b'),
      step(', depends_on: [3]'),
      step(', type: deferred'),
      step(', color: blue'),
      step(', timeout_seconds: 0'),
      step(', timeout_seconds: 1.5'),
      step(', timeout_seconds: 2147484'),
      step(', retry: {max_attempts: 101}'),
      step(', retry: {for: soon}'),
      step(', retry: {rules: [{max_attempts: 2}]}'),
      step(', retry: {rules: [{error: [], max_attempts: 2}]}'),
      step(', retry: {rules: [{error: a, max_attempts: 101}]}'),
      step(', retry: {backoff_base_ms: 0}'),
      step(', retry: {max_backoff_ms: 0}'),
      step(', retry: {backoff: often}'),
      step(', publishes_events: [{name: nodot, description: d, schema: {}}]'),
      step(', publishes_events: [{name: a..b, description: d, schema: {}}]'),
      step(', publishes_events: [{name: a.b, schema: {}}]'),
      step(', publishes_events: [{name: a.b, description: d}]'),
      step(', publishes_events: [{name: a.b, description: d, schema: {}, publisher: "a:b"}]'),
      `${HEAD}steps: [{name: a, handler: h, type: batch_worker, batch_config: {batch_size: 0}}]`,
      `${step('')}environments: {a: [b]}\n`,
      `${step('')}environments: {a: {steps: [{retry: {}}]}}\n`,
      `${step('')}lifecycle: {max_duration_minutes: 0}\n`,
      `${step('')}metadata: {created_at: 2026-01-02}\n`,
      `${step('')}identity_strategy: none\n`,
      `${step('')}input_schema: [a]\n`,
      `${step('')}default_options: {priority: 101}\n`,
      `${step('')}default_options: {tags: a}\n`,
      `${step('')}default_options: {timeout: 3}\n`,
      `${step('')}color: blue\n`,
      ...['timer', 'signal', 'approval'].map((type) => wait(`type: ${type}`)),
      wait('type: standard'),
      wait('timer: {for: 1h}'),
      step(', type: timer, timer: {for: 1h}'),
      step(', timer: {for: 1h}'),
      step(', approval: {title: t}'),
      wait('type: timer, timer: {for: 1h}, signal: {name: s}'),
      wait('type: timer, timer: {for: 1h}, wait: {max_calls: 1}'),
      wait('type: timer, timer: {for: 1h}, publishes_events: [{name: a.b, description: d, schema: {}}]'),
      ...['-1', '-1s', '1y', '3 days', 'P', 'PT', 'P1DT', 'P1M', 'soon', '[1]', '1e12', ''].map((given) =>
        timer(`{for: ${given}}`),
      ),
      timer('{}'),
      timer('{for: 1h, until: {context: a}}'),
      timer('{until: {}}'),
      timer('{until: {step: a}}'),
      timer('{until: {context: a, step: a, field: b}}'),
      timer('{for: 1h, color: blue}'),
      signal(', timeout: 0'),
      signal(', timeout: 1d, on_timeout: complete'),
      signal(', timeout: 1d, on_timeout: retry'),
      signal(', count: 0'),
      signal(', count: 1001'),
      signal(', schema: [a]'),
      wait('type: signal, signal: {}'),
      wait('type: approval, approval: {}'),
      approval(', assignees: []'),
      approval(', assignees: a'),
      approval(', quorum: 0'),
      approval(', escalate_to: [a]'),
      approval(', on_reject: retry'),
      step(', wait: {max_calls: 0}'),
      step(', wait: {timeout: 0}'),
      `${step('')}lifecycle: {max_waiting_minutes: 0}\n`,
    ];
    expect(bad.filter(agree)).toEqual([]);
  });
});

describe('a compiled schema', () => {
  const order = {
    type: 'object',
    required: ['id'],
    properties: { items: { type: 'array', items: { properties: { qty: { minimum: 1 } } } } },
  };

  it('names every violation with its path', () => {
    expect(compileSchema(order)({ items: [{ qty: 0 }, { qty: 1 }, { qty: -1 }] })).toEqual([
      { path: '', message: "must have required property 'id'" },
      { path: '/items/0/qty', message: 'must be >= 1' },
      { path: '/items/2/qty', message: 'must be >= 1' },
    ]);
  });

  it('is compiled once, and allocates nothing for a valid value', () => {
    expect(compileSchema(order)).toBe(compileSchema(order));
    expect(compileSchema(order)({ id: 1 })).toBe(compileSchema({})('anything'));
  });

  it('names the allowed values of a wrong value, and a property that is not allowed', () => {
    const check = compileSchema({
      additionalProperties: false,
      properties: { a: { enum: ['x', 'y'] }, b: { const: 2 } },
    });
    expect(
      check({ a: 'z', b: 3, c: 4 })
        .map(({ message }) => message)
        .sort(),
    ).toEqual(['must be 2', 'must be one of ["x","y"]', "must not have the property 'c'"]);
  });

  it('reports the first hundred violations of a value that has many', () => {
    expect(compileSchema({ items: { type: 'string' } })(new Array(5000).fill(1))).toHaveLength(100);
  });

  it('uses draft 2020-12, or draft-07 if its $schema is draft-07', () => {
    const tuple = compileSchema({ prefixItems: [{ type: 'string' }] });
    const old = compileSchema({ $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }] });
    expect(tuple([1])).toHaveLength(1);
    expect(old([1])).toHaveLength(1);
    expect(schemaProblems({ items: [{ type: 'string' }] })).not.toEqual([]);
    const addresses = [
      'http://json-schema.org/draft-06/schema#',
      'https://json-schema.org/draft-07/schema',
      'http://json-schema.org/draft/2020-12/schema#',
    ];
    for (const $schema of addresses) {
      expect(schemaProblems({ $schema, type: 'string' })).toEqual([]);
      expect(schemaProblems({ $schema, type: 'strng' })).toHaveLength(1);
      expect(compileSchema({ $schema, type: 'string' })(1)).toHaveLength(1);
    }
  });

  it('treats unknown formats and keywords as annotations', () => {
    expect(compileSchema({ format: 'color', 'x-unit': 'g' })('blue')).toEqual([]);
  });

  it('can have the same $id as another schema', () => {
    const [a, b] = [
      { $id: 'https://x.test/s', type: 'string' },
      { $id: 'https://x.test/s', type: 'number' },
    ];
    expect(compileSchema(a)('text')).toEqual([]);
    expect(compileSchema(b)('text')).toEqual([{ path: '', message: 'must be number' }]);
  });

  it('does not affect other schemas, even with the $id of a draft', () => {
    const posing = { $id: 'https://json-schema.org/draft/2020-12/schema', type: 'string' };
    const inner = (type: string) => ({ properties: { a: { $id: 'inner', type } }, items: { $ref: 'inner' } });
    compileSchema(inner('string'));
    try {
      compileSchema(posing);
    } catch (error) {
      expect(error).toBeInstanceOf(TaskerError);
    }
    expect(schemaProblems({ type: 'strng' })).toHaveLength(1);
    expect(compileSchema(inner('number'))([1])).toEqual([]);
    expect(() => compileSchema({ items: { $ref: 'inner' } })).toThrow(/can't resolve reference inner/);
  });

  it('can refer to its own definitions and to itself', () => {
    const list = {
      $defs: { node: { properties: { next: { $ref: '#/$defs/node' }, n: { type: 'number' } } } },
      $ref: '#/$defs/node',
    };
    expect(compileSchema(list)({ next: { next: { n: 'x' } } })).toEqual([
      { path: '/next/next/n', message: 'must be number' },
    ]);
  });

  it('throws if it is not a schema', () => {
    for (const schema of [
      { type: 'strng' },
      { $ref: '#/nowhere' },
      { pattern: '(' },
      { $schema: 'https://x.test/mine' },
    ]) {
      expect(() => compileSchema(schema)).toThrow(TaskerError);
      expect(schemaProblems(schema)).toHaveLength(1);
    }
  });

  it('rejects a pattern with a backreference', () => {
    const schema = { properties: { a: { pattern: '^(.)\\1$' } } };
    expect(() => compileSchema(schema)).toThrow('JSON Schema rejected: at /properties/a/pattern');
  });

  it('tests patterns in linear time, including those of property names', () => {
    const evil = '^(a+)+$';
    const check = compileSchema({ propertyNames: { pattern: evil }, patternProperties: { [evil]: { pattern: evil } } });
    const text = `${'a'.repeat(20_000)}!`;
    const time = cpuMs(() => expect(check({ [text]: 1, a: text, aa: 'a' })).toHaveLength(3));
    expect(time).toBeLessThan(2_000);
  });
});
