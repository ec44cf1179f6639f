import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Expression } from '../../src/expressions/expression.ts';
import { templateJsonSchema } from '../../src/template/generate/template-json-schema.ts';
import { formatProblem, parseTemplate } from '../../src/template/parse-template.ts';

const guide = readFileSync('docs/guide/templates.md', 'utf8');
const expressions = readFileSync('docs/guide/expressions.md', 'utf8');
const conditions = readFileSync('docs/guide/conditions.md', 'utf8');
const reference = readFileSync('docs/template-reference.md', 'utf8');
const examples = [...guide.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);

/** Every key that a file may have, at any depth. */
function keysOf(schema: unknown, found = new Set<string>()): Set<string> {
  if (typeof schema !== 'object' || schema === null) return found;
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties') for (const name of Object.keys(value as object)) found.add(name);
    keysOf(value, found);
  }
  return found;
}

describe('the guide to templates', () => {
  it('has examples without errors or warnings', () => {
    expect(examples).toHaveLength(5);
    for (const text of examples) expect(parseTemplate(text, { environment: 'test' }).problems).toEqual([]);
  });

  it('describes every field', () => {
    expect([...keysOf(templateJsonSchema())].filter((key) => !`${guide}${reference}`.includes(`\`${key}`))).toEqual([]);
  });
});

describe('the guide to expressions', () => {
  it('has an example without problems, and shows the messages of its mistakes', () => {
    const [, text = ''] = /```yaml\n(.*?)```/s.exec(expressions) ?? [];
    expect(parseTemplate(text).problems).toEqual([]);
    const wrong = text
      .replace('cents: steps.price.net', 'cents: steps.pric.net')
      .replace('paid: (steps.price.net + steps.price.tax) / 100', 'paid: context.id > 3');
    const shown = parseTemplate(wrong, { file: 'order.yaml' }).problems.map(formatProblem);
    const [, messages = ''] = /```text\n(.*?)\n```/s.exec(expressions) ?? [];
    expect(shown).toEqual(messages.split('\n'));
  });

  it('shows only expressions that are valid', () => {
    const rows = [
      ...expressions.matchAll(
        /^\| (?:comparison|logic|arithmetic|text|patterns|lists|conditions on lists|objects|times) \| (.*) \|$/gm,
      ),
    ];
    const texts = rows.flatMap(([, list]) =>
      [...list!.matchAll(/`([^`]+)`/g)].map(([, text]) => text!.replaceAll('\\|', '|')),
    );
    expect(texts.length).toBeGreaterThan(20);
    for (const text of texts.filter((one) => !/\b[ab]\b|condition \?/.test(one)))
      expect(() => new Expression(text), text).not.toThrow();
  });
});

describe('the guide to conditions and failures', () => {
  const [quote, ...others] = [...conditions.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);

  it('has examples without errors or warnings', () => {
    expect(others).toHaveLength(4);
    for (const text of [quote!, ...others]) expect(parseTemplate(text).problems).toEqual([]);
  });

  it('shows the messages of its mistakes', () => {
    const wrong = quote!
      .replace('when: steps.price.cents > 100000', 'when: size(context.lines)')
      .replace('    depends_on: [price, approve]\n    run_if: not_failed', '    run_if: failed');
    const shown = parseTemplate(wrong, { file: 'quote.yaml' }).problems.map(formatProblem);
    const [, messages = ''] = /```text\n(quote\.yaml.*?)\n```/s.exec(conditions) ?? [];
    expect(shown).toEqual(messages.split('\n'));
  });

  it('has the steps and dependencies of the example', () => {
    const graph = (text: string) =>
      parseTemplate(text).template!.steps.map(({ name, dependencies, runIf }) => ({ name, dependencies, runIf }));
    expect(graph(others[0]!)).toEqual(graph(readFileSync('examples/routes/templates/take-order.yaml', 'utf8')));
  });
});
