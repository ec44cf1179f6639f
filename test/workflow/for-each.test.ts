import { expect, it } from 'vitest';
import { z } from 'zod';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { contentOf } from '../../src/template/content-of.ts';
import { parseTemplate } from '../../src/template/parse-template.ts';
import { workflow } from '../../src/workflow/workflow.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const line = z.object({ sku: z.string(), count: z.number() });
const input = z.object({ lines: z.array(line) });
const weigh = defineHandler('weigh', { inputs: { count: z.number() } }, ({ count }) => ({ grams: count * 100 }));

const pack = workflow('wf/pack@1.0.0', { input, identity_strategy: 'always_unique' })
  .step('reserve', { run: () => ({ shelf: 7 }) })
  .forEach('each_line', {
    after: ['reserve'],
    elements: ({ input }) => input.lines,
    key: ({ element }) => element.sku,
    parallelism: 3,
    on_element_failure: 'continue',
    steps: (each) =>
      each
        .step('label', {
          retry: { max_attempts: 1 },
          run: ({ element, index, input, steps }) => {
            if (element.sku === 'bad') throw new PermanentError('no label');
            return { code: `${index}-${element.sku}`, of: input.lines.length, shelf: steps.reserve.shelf };
          },
        })
        .step('weigh', { after: ['label'], inputs: { count: 'element.count' }, run: weigh })
        .step('wrap', { after: ['label'], when: 'element.count > 1', run: () => ({ paper: true }) })
        .step('pack', {
          after: ['weigh'],
          inputs: { many: 'element.count > 1' },
          run: ({ input, element, steps }) => ({
            parcel: `${steps.label.code} ${steps.weigh.grams} g ${element.count}`,
            input,
          }),
        }),
    output: ({ steps }) => steps.pack.parcel,
  })
  .step('ship', { after: ['each_line'], run: ({ steps }) => ({ parcels: steps.each_line.outputs }) })
  .output(({ steps }) => ({ parcels: steps.ship.parcels, failed: steps.each_line.failed }));

const message = (make: () => unknown) => {
  try {
    make();
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
};

it('forEach runs its steps for each element, whose functions get the element, its number and the results before it', async () => {
  const { another } = await shared.setup({ a: [] });
  const tasker = await another({ workflows: [pack] });
  const lines = [
    { sku: 'cup', count: 1 },
    { sku: 'bad', count: 1 },
    { sku: 'pot', count: 3 },
  ];
  expect(await tasker.run(pack, { lines }, { timeoutMs: 20_000 })).toEqual({
    parcels: ['0-cup 100 g 1', null, '2-pot 300 g 3'],
    failed: 1,
  });
  const [{ taskUuid }] = (await tasker.listTasks({ name: 'pack' })) as unknown as [{ taskUuid: string }];
  const result = async (step: string) => (await tasker.getStep(taskUuid, step)).results?.result;
  expect(await result('label[2]')).toEqual({ code: '2-pot', of: 3, shelf: 7 });
  expect(await result('pack[2]')).toMatchObject({ input: { many: true } });
  expect((await tasker.getStep(taskUuid, 'wrap[0]')).currentState).toBe('skipped');
  expect((await tasker.getStep(taskUuid, 'label[1]')).element).toEqual({ number: 1, key: 'bad' });
});

it('the YAML of a workflow with forEach is the same template', () => {
  const yaml = pack.toYaml();
  const { template, problems } = parseTemplate(yaml);
  expect(problems).toEqual([]);
  expect(contentOf(template!)).toEqual(contentOf(pack.template));
  expect(yaml).toContain('elements: context.lines');
  expect(yaml).toContain('key: element.sku');
  expect(yaml).toContain('output: steps.pack.parcel');
  expect(pack.handlers.map(({ handlerName }) => handlerName)).toEqual([
    'wf.pack.reserve',
    'wf.pack.label',
    'weigh',
    'wf.pack.wrap',
    'wf.pack.pack',
    'wf.pack.ship',
  ]);
});

it('elements, key and output may be expressions, and an output of a step that may be skipped is null without it', async () => {
  const { another } = await shared.setup({ a: [] });
  const odd = workflow('wf/odd@1.0.0', { identity_strategy: 'always_unique' })
    .forEach('each', {
      elements: '[1, 2, 3]',
      key: ({ index }) => index,
      steps: (each) => each.step('odd', { when: 'element % 2 == 1', run: ({ element }) => ({ is: element }) }),
      output: ({ steps }) => steps.odd?.is,
    })
    .output(({ steps }) => ({ found: steps.each.outputs }));
  const tasker = await another({ workflows: [odd] });
  expect(await tasker.run(odd, {}, { timeoutMs: 20_000 })).toEqual({ found: [1, null, 3] });
});

it('mistakes name the step and the option', () => {
  const begin = workflow('wf/wrong@1.0.0', { input });
  const each = (options: object) => () =>
    begin.forEach('each', {
      elements: 'context.lines',
      steps: (one: never) => (one as { step(...given: unknown[]): unknown }).step('b', { run: () => 1 }),
      ...options,
    } as never).template;
  expect(message(each({ elements: () => [1, 2] }))).toMatch(/^each\.elements is not a value of a step or of the input/);
  expect(message(each({ key: ({ element }: { element: { sku: string } }) => `${element.sku}!` }))).toMatch(
    /^each\.key: element\.sku is not known yet: each\.key only names values/,
  );
  expect(message(each({ steps: () => undefined }))).toBe(
    'step each: steps must return the steps that it was given, with more of them',
  );
  const inputs = (one: { step(...given: unknown[]): unknown }) =>
    one.step('b', { inputs: { element: 'element.sku' }, run: () => 1 });
  expect(message(each({ steps: inputs }))).toBe(
    'step b: inputs.element: the function gets it as `element`; remove it, or use another name',
  );
  const twice = (one: { step(name: string, options: object): typeof one }) =>
    one.step('b', { run: () => 1 }).step('b', { run: () => 1 });
  expect(message(each({ steps: twice }))).toMatch(/step b exists twice/);
  expect(
    message(
      () =>
        begin
          .step('b', { run: () => 1 })
          .forEach('each', { elements: 'context.lines', steps: (one) => one.step('b', { run: () => 1 }) }).template,
    ),
  ).toMatch(/b/);
});
