import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installation, type Project } from './installation.ts';

let place: Awaited<ReturnType<typeof installation>>;
let project: Project;

const TEMPLATE = `name: order
namespace_name: shop
version: 1.0.0
default_context: { currency: EUR }
steps:
  - { name: price, handler: price }
  - name: charge
    handler: pay
    dependencies: [price]
    inputs: { amount: steps.price.cents / 100, currency: context.currency }
  - { name: ship, handler: ship, dependencies: [charge] }
  - { name: large, handler: sign, dependencies: [price], when: steps.price.cents > 100, inputs: { of: steps.price.cents } }
  - { name: stop, type: fail, dependencies: [price], when: context.bad, message: "no {{ context.n }} of {{ task.name }}" }
output: { tracking: steps.ship.no }
`;

beforeAll(async () => {
  place = await installation();
  project = await place.project('evaluating');
  await project.write('order.yaml', TEMPLATE);
});
afterAll(() => place?.remove());

const evaluate = (...args: string[]) => project.run(['template', 'eval', 'order.yaml', ...args], { endsEarly: true });

describe('tasker template eval', () => {
  it('evaluates the inputs of a step, the output, or a given expression', async () => {
    const inputs = await evaluate('--step', 'charge', '--results', '{"price":{"cents":1250}}');
    expect(inputs).toMatchObject({ code: 0, stdout: 'inputs.amount: 12.5\ninputs.currency: "EUR"\n' });
    const output = await evaluate('--results', '{"ship":{"no":"T-1"}}', '--json');
    expect(JSON.parse(output.stdout)).toEqual({
      expressions: [{ name: 'output.tracking', text: 'steps.ship.no', value: 'T-1' }],
    });
    const given = await evaluate(
      '--step',
      'ship',
      '--expression',
      'context.n > 1 && has(errors.charge)',
      '--context',
      '{"n":2}',
    );
    expect(given).toMatchObject({ code: 0, stdout: 'expression: false\n' });
  });

  it('evaluates the condition of a step before its inputs, and the expressions of its message', async () => {
    const large = await evaluate('--step', 'large', '--results', '{"price":{"cents":7}}');
    expect(large).toMatchObject({ code: 0, stdout: 'when: false\ninputs.of: 7\n' });
    const stop = await evaluate('--step', 'stop', '--context', '{"bad":"yes","n":3}');
    expect(stop).toMatchObject({
      code: 1,
      stdout: 'when: error: the condition is "yes"; it must be true or false\nmessage.1: 3\nmessage.2: "order"\n',
    });
  });

  it('exits 1 if an expression fails or is wrong at its place, and names what is wrong', async () => {
    const missing = await evaluate('--step', 'charge');
    expect(missing.code).toBe(1);
    expect(missing.stdout).toBe(
      'inputs.amount: error: steps.price does not exist; test it first with has(steps.price)\ninputs.currency: "EUR"\n',
    );
    const early = await evaluate('--step', 'charge', '--expression', 'steps.ship.no');
    expect(early).toMatchObject({
      code: 1,
      stdout: 'expression: error: `ship` does not come before `charge`; add it to its dependencies\n',
    });
    const unknown = await evaluate('--step', 'chrage');
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringContaining('unknown step chrage; did you mean charge?'),
    ]);
    const nothing = await evaluate('--step', 'ship');
    expect([nothing.code, nothing.stderr]).toEqual([0, expect.stringContaining('ship has no expressions')]);
  });
});
