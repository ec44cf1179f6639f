import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { templateJsonSchema } from '../../src/template/generate/template-json-schema.ts';
import { parseTemplate } from '../../src/template/parse-template.ts';

const guide = readFileSync('docs/guide/templates.md', 'utf8');
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
    expect(examples).toHaveLength(4);
    for (const text of examples) expect(parseTemplate(text, { environment: 'test' }).problems).toEqual([]);
  });

  it('describes every field', () => {
    expect([...keysOf(templateJsonSchema())].filter((key) => !`${guide}${reference}`.includes(`\`${key}`))).toEqual([]);
  });
});
