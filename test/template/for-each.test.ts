import { describe, expect, it } from 'vitest';
import { mermaidOf } from '../../src/template/mermaid.ts';
import { formatProblem, mustParseTemplate, parseTemplate } from '../../src/template/parse-template.ts';
import { graphOf } from '../../src/template/template-graph.ts';
import { templateFromJson, templateToJson } from '../../src/template/template-json.ts';

const file = (list: string, rest = '') => `
name: order
namespace: shop
version: 1.0.0
input_schema:
  type: object
  properties:
    lines: { type: array, items: { type: object, additionalProperties: false, properties: { sku: { type: string } } } }
steps:
  - { name: order, handler: shop.order }
  - name: each_line
    type: for_each
    depends_on: [order]
${list.replace(/^/gm, '    ')}
  - { name: ship, handler: shop.ship, depends_on: [each_line] }
${rest}`;

const LIST = `elements: context.lines
key: element.sku
steps:
  - { name: label, handler: shop.label, inputs: { sku: element.sku, at: index, total: steps.order.total } }
  - { name: pack, handler: shop.pack, depends_on: [label], when: steps.label.fits }
output: steps.pack.parcel`;

const problemsOf = (text: string) =>
  parseTemplate(text).problems.map(({ severity, message }) => `${severity}: ${message}`);

describe('a template with steps for each element of a list', () => {
  it('has the steps of elements after the steps of the task', () => {
    const { steps } = mustParseTemplate(file(LIST));
    expect(steps.map(({ name, elementOf }) => [name, elementOf])).toEqual([
      ['order', null],
      ['each_line', null],
      ['ship', null],
      ['label', 'each_line'],
      ['pack', 'each_line'],
    ]);
    expect(steps[1]!.forEach).toEqual({
      elements: 'context.lines',
      key: 'element.sku',
      parallelism: 20,
      onElementFailure: 'block',
      output: 'steps.pack.parcel',
    });
  });

  it('is the same after it was stored', () => {
    const template = mustParseTemplate(file(`${LIST}\nparallelism: 3\non_element_failure: stop`));
    const json = JSON.parse(JSON.stringify(templateToJson(template))) as unknown;
    expect(templateFromJson(json)).toEqual({ ...template, environments: {} });
  });

  it('has a graph in which no dependency leads into or out of the steps of elements', () => {
    const graph = graphOf(mustParseTemplate(file(LIST)));
    expect(graph.initial).toEqual([true, true, true, false, false]);
    expect(graph.roots).toEqual([0]);
    expect(graph.routed).toBe(true);
    expect([...graph.elementOf]).toEqual([
      [3, 1],
      [4, 1],
    ]);
    expect(graph.ancestors[4]).toEqual([0, 3]);
    expect(graph.ancestors[2]).toEqual([0, 1]);
    expect(mermaidOf(mustParseTemplate(file(LIST)))).toContain('s1 -.->|each| s3\n');
  });

  it.each([
    [
      'an outer dependency of an inner step',
      file(LIST.replace('depends_on: [label]', 'depends_on: [order]')),
      '`pack`, which runs for each element of `each_line`, cannot depend on `order`: add it to the dependencies of `each_line`; its result can be read in expressions then',
    ],
    [
      'a dependency on the list itself',
      file(LIST.replace('depends_on: [label]', 'depends_on: [each_line]')),
      '`pack`, which runs for each element of `each_line`, cannot depend on `each_line`: its steps start for each element anyway; remove the dependency',
    ],
    [
      'an outer step after an inner one',
      file(LIST, '  - { name: late, handler: h, depends_on: [pack] }'),
      '`late` depends on `pack`, which runs for each element of `each_line`; depend on `each_line`',
    ],
    [
      'a decision inside',
      file(LIST.replace('name: pack,', 'name: pack, type: decision,')),
      '`pack` of the type decision cannot run for each element of `each_line`; write `when` on the steps of its branches, or start a child task with `type: task`',
    ],
    [
      'undo inside',
      file(LIST.replace('name: pack,', 'name: pack, undo: { handler: shop.unpack },')),
      '`pack`, which runs for each element of `each_line`, cannot have `undo`; write `undo` on `each_line`, whose result has the outputs of all elements',
    ],
    [
      'a missing list',
      file(LIST.replace(/^elements:.*\n/, '')),
      '`elements` of step `each_line` is missing; add `elements: steps.STEP.LIST`',
    ],
    [
      'no steps',
      file('elements: context.lines'),
      'for_each step `each_line` has no `steps`; add the steps that run for each element',
    ],
    [
      'an element outside',
      file(LIST, '  - { name: late, handler: h, inputs: { sku: element.sku } }'),
      '`inputs.sku` of step `late`: element exists only in the steps, `key` and `output` of a for_each step',
    ],
    [
      'an unknown key of an element',
      file(LIST.replace('sku: element.sku, at', 'sku: element.sky, at')),
      '`inputs.sku` of step `label`: `sky` is not in the schema; did you mean `sku`?',
    ],
    [
      'the result of an inner step outside',
      file(LIST, '  - { name: late, handler: h, depends_on: [each_line], inputs: { x: steps.pack.x } }'),
      '`inputs.x` of step `late`: `pack` runs for each element of `each_line`; read steps.each_line.outputs',
    ],
    [
      'a name twice',
      file(LIST.replace('name: pack', 'name: ship')),
      'step `ship` is declared twice, first on line 20; rename one of them',
    ],
    [
      'fields of a list on another step',
      file(LIST, '  - { name: late, handler: h, parallelism: 3 }'),
      '`parallelism` of `late` has no effect on a standard step, because only steps of the type for_each have it; remove it',
    ],
    [
      'elements on another step',
      file(LIST, '  - { name: late, handler: h, elements: context.lines }'),
      '`elements` of `late` has no effect on a standard step; write `type: for_each`, or remove it',
    ],
    [
      'a cycle inside',
      file(LIST.replace('name: label,', 'name: label, depends_on: [pack],')),
      'dependencies form a cycle: label → pack → label; remove one of them',
    ],
  ])('refuses %s', (_, text, message) => {
    expect(problemsOf(text)).toContain(`error: ${message}`);
  });

  it('accepts other spellings and reports a misspelt key inside, at its place', () => {
    const text = file(LIST.replace('depends_on: [label]', 'dependencies: [label], timeout_secs: 3'));
    expect(parseTemplate(text).problems.map((problem) => formatProblem(problem))).toEqual([
      expect.stringMatching(
        /^template:18:66: error: unknown key `timeout_secs` in step `pack`; did you mean `timeout_seconds`\?/,
      ),
    ]);
  });

  it('still accepts macros with a variable that is called element or index', () => {
    const text = file(
      LIST.replace(
        'steps.label.fits',
        "'context.lines.all(element, has(element.sku)) && context.lines.exists(index, true)'",
      ),
    );
    expect(problemsOf(text)).toEqual([]);
  });
});
