import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EQUIVALENT } from '../../scripts/mutants/equivalent.mjs';
import { NAMED, namedMutant } from '../../scripts/mutants/named.mjs';
import { sqlMutants } from '../../scripts/mutants/sql.mjs';
import { typescriptMutants } from '../../scripts/mutants/typescript.mjs';

interface Edit {
  start: number;
  end: number;
  replacement: string;
  operator: string;
}

/** Returns the text after each edit of an operator. */
function texts(text: string, edits: readonly Edit[], operator: string): string[] {
  return edits
    .filter((edit) => edit.operator === operator)
    .map(({ start, end, replacement }) =>
      (text.slice(0, start) + replacement + text.slice(end)).replace(/ +/g, ' ').trim(),
    );
}

describe('mutation testing', () => {
  it.each(NAMED)('finds the original text of the named mutant: $what', (named) => {
    const text = readFileSync(named.file, 'utf8');
    const { start, end, replacement } = namedMutant(named, text);
    expect(text.slice(start, end)).toBe(named.from);
    expect(replacement).toBe(named.to);
  });

  it('lists equivalent mutants only for lines that exist', () => {
    for (const { file, line, original } of EQUIVALENT) {
      const lines = readFileSync(file, 'utf8').split('\n');
      expect({ file, line, found: lines.some((each) => each.includes(line)) }).toEqual({ file, line, found: true });
      expect(line).toContain(original.split('\n')[0]!.trim());
    }
  });

  it.each([
    [
      'drop condition',
      'select 1 from a where x = 1 and (y or z) order by x',
      [
        'select 1 from a where (y or z) order by x',
        'select 1 from a where x = 1 order by x',
        'select 1 from a where x = 1 and (y ) order by x',
      ],
    ],
    [
      'comparison',
      'update a set x = 1 where y < $1',
      ['update a set x = 1 where y <= $1', 'update a set x = 1 where y >= $1'],
    ],
    [
      'drop lock',
      'select 1 from q, s for update of q, s skip locked',
      [
        'select 1 from q, s for update of s skip locked',
        'select 1 from q, s for update of q skip locked',
        'select 1 from q, s',
      ],
    ],
    ['drop state', "state in ('pending', 'error')", ["state in ( 'error')", "state in ('pending')"]],
    ['drop union branch', '(select 1 union all select 2) order by 1', ['(select 1 ) order by 1']],
    ['coalesce', 'coalesce(max(x), 0)', ['coalesce(max(x), 1)']],
  ])('changes SQL by the operator "%s"', (operator, text, expected) => {
    expect(texts(text, sqlMutants(text), operator)).toEqual(expected);
  });

  it.each([
    ['negate condition', 'if (a) b();', ['if (!(a)) b();']],
    ['drop await', 'await f();', ['f();']],
    ['return early', 'function f() { g(); }', ['function f() { return; g(); }']],
    ['default', 'x = a ?? b;', ['x = (a);', 'x = (b);']],
    ['drop statement', 'logger.info({}, "started"); f();', ['logger.info({}, "started"); ;']],
  ])('changes TypeScript by the operator "%s"', (operator, text, expected) => {
    expect(
      texts(
        text,
        typescriptMutants('a.ts', text, () => false),
        operator,
      ),
    ).toEqual(expected);
  });
});
