import { describe, expect, it } from 'vitest';
import { contentOf } from '../../src/template/content-of.ts';
import { formatProblem, parseTemplate } from '../../src/template/parse-template.ts';
import { templateFromJson, templateToJson } from '../../src/template/template-json.ts';

const FILE = `name: order
namespace: shop
version: 1.0.0
input_schema:
  type: object
  additionalProperties: false
  properties: { id: { type: string }, total: { type: number } }
steps:
  - name: price
    handler: price
    result_schema: { type: object, additionalProperties: false, properties: { cents: { type: integer } } }
  - name: charge
    handler: pay
    depends_on: [price]
    inputs:
      amount: steps.price.cents / 100
      id: context.id
      live: true
      factor: 2
  - { name: ship, handler: ship, depends_on: [charge] }
output:
  tracking: steps.ship.no
  total: context.total
output_schema: { type: object, required: [tracking], additionalProperties: false, properties: { tracking: {}, total: {} } }
`;
const problemsOf = (text: string) => parseTemplate(text, { file: 'order.yaml' }).problems.map(formatProblem);

describe('a template with expressions', () => {
  it('has inputs of steps and an output, and numbers and booleans are expressions', () => {
    const { template, problems } = parseTemplate(FILE);
    expect(problems).toEqual([]);
    expect(template!.steps[1]!.inputs).toEqual({
      amount: 'steps.price.cents / 100',
      id: 'context.id',
      live: 'true',
      factor: '2',
    });
    expect(template!.steps[0]!.inputs).toBeNull();
    expect(template!.output).toEqual({ tracking: 'steps.ship.no', total: 'context.total' });
    expect(templateFromJson(templateToJson(template!))).toEqual(template);
    expect(contentOf(template!)).toHaveProperty('output.tracking', 'steps.ship.no');
  });

  it.each([
    [
      'steps.price.cents / 100',
      'steps.pricee.cents',
      '16:15: error: `inputs.amount` of step `charge`: `pricee` is not a step; did you mean `price`?',
    ],
    [
      'steps.price.cents / 100',
      'steps.ship.no',
      '16:15: error: `inputs.amount` of step `charge`: `ship` does not come before `charge`; add it to its dependencies',
    ],
    [
      'steps.price.cents / 100',
      '1 + steps.price.cent',
      '16:19: error: `inputs.amount` of step `charge`: `cent` is not in the schema; did you mean `cents`?',
    ],
    [
      'steps.price.cents / 100',
      '"1 + context.idd"',
      '16:20: error: `inputs.amount` of step `charge`: `idd` is not in the schema; did you mean `id`?',
    ],
    [
      'steps.price.cents / 100',
      '>-\n        context.total +\n        contxt.id',
      '16:15: error: `inputs.amount` of step `charge`: unknown name contxt; did you mean context?',
    ],
    [
      'steps.price.cents / 100',
      '|\n        context.total > 1 ||\n        contxt.id',
      '18:9: error: `inputs.amount` of step `charge`: unknown name contxt; did you mean context?',
    ],
    [
      'context.id\n',
      'context.id > 3\n',
      '17:11: error: `inputs.id` of step `charge`: > does not take a string and a whole number',
    ],
    ['live: true', 'live: [1]', '18:13: error: '],
    [
      'tracking: steps.ship.no',
      'tracking: steps.shipp.no',
      '22:13: error: `output.tracking`: `shipp` is not a step; did you mean `ship`?',
    ],
    [
      'tracking: steps.ship.no',
      'trackin: steps.ship.no',
      '22:3: error: `output.trackin` is not allowed by output_schema; did you mean `tracking`?',
    ],
    [
      'output:\n  tracking: steps.ship.no\n  total: context.total\n',
      '',
      '21:1: error: output_schema has no effect without `output`',
    ],
  ])('with %j instead of %j is refused at its place', (from, to, message) => {
    const text = FILE.replace(from, to);
    expect(text).not.toBe(FILE);
    expect(problemsOf(text).join('\n')).toContain(`order.yaml:${message}`);
  });

  it('has one problem if a dependency is misspelt, although expressions read the step', () => {
    expect(problemsOf(FILE.replace('depends_on: [price]', 'depends_on: [prce]'))).toEqual([
      'order.yaml:14:18: error: unknown step `prce` in depends_on of `charge`; did you mean `price`?',
    ]);
  });

  it('reads no worker of a batch, and gives no inputs to a step that waits', () => {
    const text = `name: batch
namespace: shop
version: 1.0.0
steps:
  - { name: analyze, type: batchable, handler: analyze }
  - name: load
    type: batch_worker
    handler: load
    depends_on: [analyze]
    batch_config: { parallelism: 2, cursor_field: id, worker_template: load, failure_strategy: fail_fast }
  - { name: sum, type: deferred_convergence, handler: sum, depends_on: [load], inputs: { rows: steps.load.rows } }
  - { name: nap, type: timer, timer: { for: 1s }, depends_on: [sum], inputs: { a: "1" } }
`;
    expect(problemsOf(text)).toEqual([
      'order.yaml:11:96: error: `inputs.rows` of step `sum`: `load` is a batch_worker; read the step that aggregates its workers',
      expect.stringContaining('inputs of `nap` have no effect, because a timer step has no handler; remove them'),
    ]);
  });

  it('has bounded expressions', () => {
    const many = Array.from({ length: 101 }, (_, i) => `      k${i}: "1"`).join('\n');
    const text = FILE.replace(
      '      amount: steps.price.cents / 100\n      id: context.id\n      live: true\n      factor: 2',
      many,
    );
    expect(problemsOf(text).join('\n')).toContain('must have at most 100 entries');
    expect(problemsOf(FILE.replace('steps.ship.no', `"'${'x'.repeat(4100)}'"`)).join('\n')).toMatch(/4096/);
  });
});
