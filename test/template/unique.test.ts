import { describe, expect, it } from 'vitest';
import { formatProblem, mustParseTemplate, parseTemplate } from '../../src/template/parse-template.ts';
import { templateFromJson, templateToJson } from '../../src/template/template-json.ts';

const file = (unique: string, rest = '') => `
name: sync
namespace: shop
version: 1.0.0
input_schema:
  type: object
  additionalProperties: false
  properties:
    customer_id: { type: string }
    orders: { type: array }
    card: { type: object }
unique: ${unique}
steps:
  - { name: load, handler: shop.load, undo: { handler: shop.unload } }
${rest}`;

const problemsOf = (text: string) =>
  parseTemplate(text).problems.map(({ severity, message }) => `${severity}: ${message}`);

describe('a template with `unique`', () => {
  it('returns the open task of the key by default', () => {
    expect(mustParseTemplate(file('{ key: context.customer_id }')).unique).toEqual({
      key: 'context.customer_id',
      onConflict: 'return',
    });
    expect(mustParseTemplate(file('{ key: context.customer_id, on_conflict: replace_pending }')).unique).toMatchObject({
      onConflict: 'replace_pending',
    });
  });

  it('is the same after it was stored', () => {
    const template = mustParseTemplate(file('{ key: context.customer_id, on_conflict: reject }'));
    const json = JSON.parse(JSON.stringify(templateToJson(template))) as unknown;
    expect(json).toMatchObject({ unique: { key: 'context.customer_id', on_conflict: 'reject' } });
    expect(templateFromJson(json)).toEqual({ ...template, environments: {} });
  });

  it('can have a key that every task shares', () => {
    expect(problemsOf(file(`{ key: "'all'" }`))).toEqual([]);
  });

  it.each([
    ['context.customer', '`unique.key`: `customer` is not in the schema; did you mean `customer_id`?'],
    ['context.customer_id +', '`unique.key`: the expression ends too early'],
    ['steps.load.id', '`unique.key`: `load` has no result yet, because the key is evaluated when the task is created'],
    ['element.id', '`unique.key`: element exists only in the steps, `key` and `output` of a for_each step'],
    ['context.orders', '`unique.key` is of the type array; a key is a string, a number or a boolean'],
    ['task.uuid', '`unique.key` reads task.uuid, which differs for each task; read a value of the context'],
    [
      'context.customer_id + task.created_at',
      '`unique.key` reads task.created_at, which differs for each task; read a value of the context',
    ],
  ])('cannot have the key %s', (key, message) => {
    expect(problemsOf(file(`{ key: ${key} }`))).toEqual([`error: ${message}`]);
  });

  it('names the place of a mistake in the key', () => {
    const [problem] = parseTemplate(file('{ key: context.customer_id + task.uuid }')).problems;
    expect(formatProblem(problem!)).toMatch(/^template:12:38: error/);
  });

  it('cannot have a sensitive value as its key, because errors show the key', () => {
    expect(problemsOf(file('{ key: context.card.number }', 'sensitive: [card]\n'))).toEqual([
      'error: `unique.key` reads a value that `sensitive` hides, but errors show the key; use an id',
    ]);
  });

  it('cannot cancel tasks that are undone when they are cancelled', () => {
    const lifecycle = 'lifecycle: { on_cancel: undo }\n';
    expect(problemsOf(file('{ key: context.customer_id, on_conflict: cancel_running }', lifecycle))).toEqual([
      'error: `on_conflict: cancel_running` cannot be combined with `on_cancel: undo`, because a task stays open while it is undone; write another `on_conflict`',
    ]);
    expect(problemsOf(file('{ key: context.customer_id, on_conflict: replace_pending }', lifecycle))).toEqual([]);
  });

  it('needs a key, and an answer that exists', () => {
    expect(problemsOf(file('{ on_conflict: return }'))).toEqual([expect.stringContaining('`unique.key`')]);
    expect(problemsOf(file('{ key: context.customer_id, on_conflict: retrun }'))).toEqual([
      expect.stringContaining('did you mean `return`?'),
    ]);
  });
});
