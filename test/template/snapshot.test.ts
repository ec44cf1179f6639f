import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { TaskerError } from '../../src/errors.ts';
import type { JsonObject, JsonValue, TaskTemplate } from '../../src/template/task-template.ts';
import { digestOf } from '../../src/template/template-digest.ts';
import { graphOf } from '../../src/template/template-graph.ts';
import { templateFromJson, templateToJson } from '../../src/template/template-json.ts';
import { clean, HEAD, stepsYaml } from './templates.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,11}$/);
/** U+FFFD in a file replaces bytes that were not valid UTF-8. */
const text = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((it) => !it.includes('\uFFFD'));
/** A template may not have this key. */
const key = text.filter((it) => it !== '__proto__');
const { json } = fc.letrec<{ json: JsonValue }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    text,
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(key, tie('json'), { maxKeys: 4 }),
  ),
}));
const map = fc.dictionary(key, json, { maxKeys: 4, noNullPrototype: true });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const delays = {
  backoff: fc.constantFrom('none', 'linear', 'exponential', 'fibonacci'),
  max_backoff_ms: fc.integer({ min: 5000, max: 3_600_000 }),
};
const retry = fc.oneof(
  fc.record(
    { retryable: fc.boolean(), max_attempts: fc.integer({ min: 1, max: 100 }), ...delays },
    { requiredKeys: [] },
  ),
  fc.record(
    {
      for: fc.constantFrom('30m', '1h30m', 90),
      rules: fc.constantFrom(
        [{ error: 'rate_limited', max_attempts: 20, backoff_base_ms: 5000 }],
        [{ error: ['a', 'b'], retryable: true, backoff: 'none' }],
      ),
      ...delays,
    },
    { requiredKeys: [] },
  ),
);

const event = fc.record(
  {
    description: text,
    condition: fc.constantFrom('success', 'failure', 'always'),
    schema: fc.constantFrom({}, { type: 'object', properties: { n: { type: 'number' } } }),
    delivery_mode: fc.constantFrom('durable', 'fast', 'broadcast'),
  },
  { requiredKeys: ['description', 'schema'] },
);

const lifecycle = fc.record(
  {
    max_duration_minutes: fc.integer({ min: 1, max: 43_200 }),
    staleness_action: fc.constantFrom('dlq', 'error', 'none'),
  },
  { requiredKeys: [] },
);

/** Steps that depend on some of the steps before them. */
const steps = fc.uniqueArray(name, { minLength: 1, maxLength: 12 }).chain((names) =>
  fc.tuple(
    ...names.map((own, index) =>
      fc
        .record({
          handler: fc.record({ callable: name, method: maybe(name), initialization: map }),
          dependencies: fc.subarray(names.slice(0, index)),
          retry: maybe(retry),
          timeout_seconds: maybe(fc.integer({ min: 1, max: 1000 })),
          publishes_events: maybe(fc.array(event, { maxLength: 1 })),
          composition: maybe(json),
        })
        .map(({ publishes_events, ...step }) => ({
          name: own,
          ...step,
          publishes_events: publishes_events?.map((it) => ({ name: `${own}.done`, ...it })),
        })),
    ),
  ),
);

/** A template file, as plain data. */
const file = fc
  .record({
    name,
    namespace_name: name,
    version: fc.stringMatching(/^[0-9a-z.]{1,16}$/),
    description: maybe(text),
    steps,
    lifecycle: maybe(lifecycle),
    identity_strategy: maybe(fc.constantFrom('strict', 'caller_provided', 'always_unique')),
    default_context: maybe(map),
    default_options: maybe(
      fc.record({ priority: fc.integer({ min: -100, max: 100 }), tags: fc.array(text) }, { requiredKeys: [] }),
    ),
    metadata: maybe(map),
  })
  .map((it) => JSON.parse(JSON.stringify(it)) as JsonObject);

const read = (data: JsonValue): TaskTemplate => clean(stringify(data, { aliasDuplicateObjects: false }));

/** Returns the same data with all keys in reverse order. */
function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([at, inner]) => [at, reversed(inner)]),
  );
}

describe('any template', () => {
  it('is unchanged when read from its snapshot, also after the database reordered its keys', () => {
    fc.assert(
      fc.property(file, (data) => {
        const template = read(data);
        expect(templateFromJson(templateToJson(template))).toEqual(template);
        const stored: unknown = JSON.parse(JSON.stringify(reversed(templateToJson(template))));
        expect(templateFromJson(stored)).toEqual(template);
        expect(digestOf(templateFromJson(stored))).toBe(digestOf(template));
      }),
      { numRuns: 60 },
    );
  });

  it('has the same digest for any order of its keys', () => {
    fc.assert(
      fc.property(file, (data) => {
        expect(digestOf(read(reversed(data)))).toBe(digestOf(read(data)));
      }),
      { numRuns: 60 },
    );
  });

  it('has an order in which every step comes after all its ancestors', () => {
    fc.assert(
      fc.property(file, (data) => {
        const { order, parents, ancestors } = graphOf(read(data));
        const rank = new Map(order.map((index, at) => [index, at]));
        expect(rank.size).toBe(parents.length);
        for (const [index, of] of parents.entries()) {
          for (const parent of of) expect(rank.get(parent)!).toBeLessThan(rank.get(index)!);
          const all = [...new Set(of.flatMap((parent) => [parent, ...ancestors[parent]!]))];
          expect(ancestors[index]).toEqual(all.sort((a, b) => rank.get(a)! - rank.get(b)!));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a digest', () => {
  it('does not depend on spellings, comments or explicit defaults', () => {
    const short = clean(`${HEAD}steps: [{name: a, handler: h}, {name: b, handler: h, depends_on: [a]}]`);
    const long = clean(`# remark
version: "1.0.0"
namespace_name: demo
name: demo
identity_strategy: strict
steps:
  - handler: {callable: h, initialization: {}}
    name: a
    retry: {max_attempts: 3}
    type: standard
  - {name: b, dependencies: [a], handler: {callable: h}}
`);
    expect(digestOf(short)).toMatch(/^[0-9a-f]{64}$/);
    expect(digestOf(long)).toBe(digestOf(short));
  });

  it('depends on the fields, the order of the steps and the applied overrides', () => {
    const plain = `${stepsYaml('a', 'b')}environments: {test: {steps: [{name: a, timeout_seconds: 5}]}}\n`;
    const digests = [
      digestOf(clean(plain)),
      digestOf(clean(plain, 'test')),
      digestOf(clean(stepsYaml('b', 'a'))),
      digestOf(clean(stepsYaml('a', 'b < a'))),
    ];
    expect(new Set(digests).size).toBe(4);
    expect(digestOf(clean(plain, 'production'))).toBe(digests[0]);
  });
});

describe('a snapshot', () => {
  it('has the field names of the file, no nulls and no environments', () => {
    const template = clean(`${stepsYaml('a')}environments: {test: {steps: [{name: a, timeout_seconds: 5}]}}\n`, 'test');
    expect(templateToJson(template)).toEqual({
      name: 'demo',
      namespace_name: 'demo',
      version: '1.0.0',
      system_dependencies: { primary: 'default', secondary: [] },
      domain_events: [],
      identity_strategy: 'strict',
      steps: [
        {
          name: 'a',
          handler: { callable: 'h', initialization: {} },
          type: 'standard',
          dependencies: [],
          retry: {
            retryable: true,
            max_attempts: 3,
            backoff: 'exponential',
            backoff_base_ms: 1000,
            max_backoff_ms: 30_000,
          },
          timeout_seconds: 5,
          publishes_events: [],
        },
      ],
    });
    expect(templateFromJson(templateToJson(template))).toEqual({ ...template, environments: {} });
  });

  it('is read without unknown keys of other versions, although a file with such a misspelt key is rejected', () => {
    const template = clean(stepsYaml('a'));
    const later = structuredClone(templateToJson(template)) as JsonObject & { steps: JsonObject[] };
    later.flavour = 'new';
    later.steps[0]!.color = 'blue';
    later.steps[0]!.depend_on = ['b'];
    expect(templateFromJson(later)).toEqual(template);
  });

  it('throws if it is invalid', () => {
    for (const json of [null, 3, {}, { ...templateToJson(clean(stepsYaml('a'))), version: 3 }]) {
      expect(() => templateFromJson(json)).toThrow(TaskerError);
      expect(() => templateFromJson(json)).toThrow(/^invalid stored template: /);
    }
  });
});
