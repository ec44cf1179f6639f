import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { exampleCommand } from '../../src/cli/example-command.ts';
import { countsOf, foldBatches, type TreeStep } from '../../src/cli/show/fold-batches.ts';
import { drawnTree, treeOf } from '../../src/cli/show/step-tree.ts';
import { spanOf } from '../../src/cli/show/text.ts';
import { readReference } from '../../src/cli/template/reference.ts';
import { compileSchema } from '../../src/template/json-schema-check.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';

function drawn(parents: Record<string, string[]>): string {
  const lines = treeOf(Object.keys(parents), new Map(Object.entries(parents)));
  return lines
    .map(
      ({ name, branches, otherParents }) => `${branches}${name}${otherParents.map((other) => ` +${other}`).join('')}`,
    )
    .join('\n');
}

describe('the tree of a graph', () => {
  it('keeps a chain in one column', () => {
    expect(drawn({ a: [], b: ['a'], c: ['b'] })).toBe('a\nb\nc');
  });

  it('branches at parallel steps, and names the parents that the branches do not show', () => {
    expect(drawn({ a: [], b: ['a'], c: ['a'], d: ['b', 'c'], e: ['d'] })).toBe('a\n├─ b\n└─ c\n   d +b\n   e');
  });

  it('draws several roots as branches without a parent', () => {
    expect(drawn({ a: [], b: [], c: ['a'] })).toBe('├─ a\n│  c\n└─ b');
  });

  it('handles a chain of ten thousand steps', () => {
    const chain = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`s${i}`, i === 0 ? [] : [`s${i - 1}`]]));
    expect(drawn(chain).split('\n')).toHaveLength(10_000);
  });

  it('omits parents that the task does not have', () => {
    expect(drawn({ b: ['gone'], c: ['b'] })).toBe('b\nc');
  });
});

describe('the input and output of commands', () => {
  it('parses every form of a template name', () => {
    expect(readReference('fulfil')).toEqual({ name: 'fulfil', namespace: undefined, version: undefined });
    expect(readReference('shop/fulfil@1.2.0')).toEqual({ name: 'fulfil', namespace: 'shop', version: '1.2.0' });
    expect(readReference('fulfil@2.0.0-rc.1')).toEqual({ name: 'fulfil', namespace: undefined, version: '2.0.0-rc.1' });
  });

  it('prints a command whose input matches the schema and is quoted for the shell', () => {
    const template = mustParseTemplate(`name: fulfil
namespace: shop
version: "1.2.0"
input_schema:
  type: object
  required: [id, lines, express]
  properties:
    id: { type: string, examples: ["it's 7"] }
    lines: { type: array, minItems: 1, items: { type: integer, minimum: 3 } }
    express: { type: boolean }
    note: { type: string }
steps: [{ name: a, handler: a }]
`);
    expect(exampleCommand(template)).toBe(
      `npx tasker task create shop/fulfil@1.2.0 --input '{"id":"it'\\''s 7","lines":[3],"express":true}'`,
    );
  });

  it('shows a command that the schema accepts, with nested fields and the key that the template requires', () => {
    const template = mustParseTemplate(`
name: pay
namespace: shop
version: "1.0.0"
identity_strategy: caller_provided
input_schema:
  type: object
  required: [customer, lines, count, when, nested]
  properties:
    customer: { type: object, required: [name, email], properties: { name: { type: [string, "null"] }, email: { type: string, format: email }, age: { type: integer } } }
    lines: { type: array, minItems: 2, items: { type: object, required: [sku], properties: { sku: { type: string, minLength: 6 } } } }
    count: { type: integer, exclusiveMinimum: 4 }
    when: { anyOf: [{ type: string, format: date }, { type: "null" }] }
    nested: { properties: { a: { type: string } }, required: [a] }
steps: [{ name: a, handler: a }]
`);
    const command = exampleCommand(template);
    expect(command).toBe(
      `npx tasker task create shop/pay@1.0.0 --input '{"customer":{"name":"text","email":"someone@example.com"},"lines":[{"sku":"textxx"},{"sku":"textxx"}],"count":5,"when":"2030-01-31","nested":{"a":"text"}}' --idempotency-key example-1`,
    );
    const context = JSON.parse(/--input '(.*)' --idem/.exec(command)![1]!) as Record<string, unknown>;
    expect(compileSchema(template.inputSchema!)(context)).toEqual([]);
  });

  it('formats a duration in a suitable unit', () => {
    expect([0, 12, 3_450, 59_960, 300_000, 7_200_000, 260_000_000].map(spanOf)).toEqual([
      '0 ms',
      '12 ms',
      '3.5 s',
      '1 min',
      '5 min',
      '2 h',
      '3 d',
    ]);
  });
});

describe('the tree of a task with batches', () => {
  const parents = new Map([
    ['analyze', []],
    ['work', ['analyze']],
    ['join', ['work']],
  ]);
  const task = (...workers: string[]): TreeStep[] => [
    { name: 'analyze', templateStepName: 'analyze', state: 'complete' },
    ...workers.map((state, i) => ({ name: `work_${i}`, templateStepName: 'work', state })),
    { name: 'join', templateStepName: 'join', state: 'pending' },
  ];
  const tree = (steps: TreeStep[]) =>
    drawnTree(foldBatches(steps, parents), {
      describe: ({ state }) => state,
      describeBatch: (workers) =>
        countsOf(workers)
          .map((count) => [...count].reverse().join(' '))
          .join(', '),
    }).map(stripVTControlCharacters);

  it('shows the workers of a small batch below their analyzer', () => {
    expect(tree(task('complete', 'error'))).toEqual(
      [
        '✔ analyze       complete',
        '├─ ✔ work_0    complete',
        '└─ ✖ work_1    error',
        '   · join      pending (also after work_0)',
      ].map((line) => expect.stringMatching(line.trimEnd().replace(/ +/g, ' +').replace(/[()]/g, '\\$&'))),
    );
  });

  it('wraps long texts between words, below their first line', () => {
    const steps = [{ name: 'charge', templateStepName: 'charge', state: 'error' }];
    const describe = () => 'failed after attempt 3 of 3: the bank did not answer within 30 seconds';
    const draw = (columns?: number) =>
      drawnTree(foldBatches(steps, new Map([['charge', []]])), { columns, describe, describeBatch: () => '' })
        .map(stripVTControlCharacters)
        .join('\n');
    expect(draw(50)).toBe(
      ['✖ charge  failed after attempt 3 of 3: the bank', '          did not answer within 30 seconds'].join('\n'),
    );
    expect(draw()).toBe(`✖ charge  ${describe()}`);
    expect(draw(30), 'too narrow').toBe(draw());
  });

  it('folds the workers of a large batch into one line, and shows the failed workers', () => {
    const states = Array.from({ length: 10_000 }, (_, i): string =>
      i < 4_000 ? 'complete' : i < 4_003 ? 'in_progress' : 'pending',
    );
    states[7] = 'error';
    const lines = tree(task(...states));
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/▶ work ×10000 +3 in_progress, 5997 pending, 1 error, 3999 complete/);
    expect(lines[2]).toMatch(/✖ work_7 +error/);
    expect(lines[3]).toMatch(/· join +pending/);
  });
});
