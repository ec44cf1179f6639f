import { describe, expect, it } from 'vitest';
import { atMarks, HEAD, problemsOf, unmarked } from './templates.ts';

const bomb = ['a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]'];
for (const [i, name] of [...'bcdefghij'].entries()) {
  bomb.push(`${name}: &${name} [${Array(10).fill(`*${'abcdefghi'[i]}`).join(', ')}]`);
}

const initialization = (yaml: string) =>
  `${HEAD}steps:\n  - {name: a, handler: {callable: h, initialization: {x: ${yaml}}}}\n`;

/** Each row marks the problems of a file with `▸`. */
const ROWS: [title: string, text: string, problems: string[]][] = [
  ['an empty file', '▸', ['error: the file is empty; a template needs at least name, namespace, version and steps']],
  [
    'a file with only a comment',
    '▸# soon\n',
    ['error: the file is empty; a template needs at least name, namespace, version and steps'],
  ],
  ['a list', '▸- a\n', ['error: the template: expected a map of fields, got a list']],
  [
    'a tab as indentation',
    'name: a\n▸\tversion: b\n',
    ['error: tabs are not allowed as indentation; indent with spaces'],
  ],
  [
    'an unclosed bracket',
    'name: [a,\n▸version: b\n',
    [
      'error: flow sequence in block collection must be sufficiently indented and end with a ]; close the bracket, or check the indentation',
    ],
  ],
  [
    'a colon in a value',
    'name: ▸a: b\n',
    [
      'error: nested mappings are not allowed in compact mappings; put a value that contains `: ` in quotes, or check the indentation',
    ],
  ],
  [
    'two documents',
    `${HEAD}steps: [{name: a, handler: h}]\n▸---\nname: b\n`,
    ['error: a second document starts here; a file must contain one template, so move the other to its own file'],
  ],
  [
    'a duplicate key',
    `${HEAD}▸name: other\nsteps: [{name: a, handler: h, ▸handler: g}]\n`,
    ['error: `name` is in the map twice; remove one', 'error: `handler` is in the map twice; remove one'],
  ],
  [
    'an alias without an anchor',
    initialization('[&left 1, ▸*lft]'),
    ['error: no anchor `&lft` is defined before this alias; did you mean `*left`?'],
  ],
  ['an alias inside its own anchor', initialization('&x [▸*x]'), ['error: `*x` is inside the value that it refers to']],
  ['a merge of a value that is not a map', initialization('▸{<<: 3}'), ['error: `<<` must be a map or a list of maps']],
  [
    'aliases that would expand without limit',
    `▸${bomb.join('\n')}`,
    ['error: the file holds 12345679011 values with aliases expanded, but the maximum is 1000000'],
  ],
  [
    'values without a JSON form',
    initialization('[▸.inf, !!binary ▸aGk=, ▸"\\ud800", ▸"a\\0b", ▸12345678901234567890]'),
    [
      'error: `.inf` is not a JSON value; put it in quotes',
      'error: `aGk=` is not a JSON value; put it in quotes',
      'error: the text contains a NUL or a lone surrogate, which cannot be stored; remove it',
      'error: the text contains a NUL or a lone surrogate, which cannot be stored; remove it',
      'warning: 12345678901234567890 is stored as 12345678901234567000, because it is too long for a number; put it in quotes',
    ],
  ],
  [
    'a list as a key',
    initialization('{▸[1]: 2}'),
    ['error: a key must be a scalar; lists, maps and aliases cannot be keys'],
  ],
  [
    'a key that JavaScript reserves',
    initialization('{▸__proto__: 2}'),
    ['error: `__proto__` cannot be a key; use another name'],
  ],
  ['an unknown tag', initialization('▸!secret y'), ['warning: unresolved tag: !secret; it is ignored']],
  ['another encoding', 'name: caf▸\uFFFD\n', ['error: a character is not UTF-8; save the file as UTF-8']],
  [
    'too many bytes',
    `▸name: ${'é'.repeat(600_000)}\n`,
    ['error: the file has 1200007 bytes, but the maximum is 1048576'],
  ],
  [
    'too many levels through aliases',
    `▸x0: &x0 [1]\n${Array.from({ length: 120 }, (_, i) => `x${i + 1}: &x${i + 1} [*x${i}]\n`).join('')}`,
    ['error: lists and maps are nested more than 100 levels deep; reduce the nesting'],
  ],
  [
    'too many levels',
    `▸${initialization(`${'['.repeat(150)}${']'.repeat(150)}`)}`,
    ['error: lists and maps are nested more than 100 levels deep; reduce the nesting'],
  ],
];

describe('reading a file reports', () => {
  for (const [title, text, problems] of ROWS) {
    it(title, () => {
      expect(problemsOf(unmarked(text))).toEqual(atMarks(text, problems));
    });
  }

  it('endless nesting', () => {
    expect(problemsOf('['.repeat(50_000))).toEqual([
      expect.stringContaining('error: lists and maps are nested too deeply here'),
    ]);
  });
});
