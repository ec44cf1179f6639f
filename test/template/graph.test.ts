import { expect, it } from 'vitest';
import { compileSchema } from '../../src/template/json-schema-check.ts';
import { mermaidOf } from '../../src/template/mermaid.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';
import { digestOf } from '../../src/template/template-digest.ts';
import { graphOf } from '../../src/template/template-graph.ts';
import { templateFromJson, templateToJson } from '../../src/template/template-json.ts';

const DIAMOND = `
name: diamond
namespace: demo
version: "1.0.0"
steps:
  - {name: end, handler: h, depends_on: [left, right]}
  - {name: left, handler: h, depends_on: [start]}
  - {name: right, handler: {callable: h}, dependencies: [start]}
  - {name: start, handler: h}
`;

it('orders steps by their dependencies, whatever their order in the file', () => {
  const graph = graphOf(mustParseTemplate(DIAMOND));
  expect(graph.order.map((index) => graph.names[index])).toEqual(['start', 'left', 'right', 'end']);
  expect(graph.ancestors[0]).toEqual([3, 1, 2]);
  expect(graph.children[3]).toEqual([1, 2]);
  expect(graph.roots).toEqual([3]);
  expect(graph.initial).toEqual([true, true, true, true]);
});

it('comes back from its snapshot as it was', () => {
  const template = mustParseTemplate(DIAMOND);
  expect(templateFromJson(templateToJson(template))).toEqual(template);
  expect(digestOf(template)).toMatch(/^[0-9a-f]{64}$/);
  expect(mermaidOf(template)).toContain('s3 --> s1');
});

it('names every place where a value does not meet its schema', () => {
  const check = compileSchema({ type: 'object', properties: { qty: { type: 'integer', minimum: 1 } } });
  expect(check({ qty: 0 })).toEqual([{ path: '/qty', message: 'must be >= 1' }]);
  expect(check({ qty: 1 })).toBe(check({}));
});
