import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linearPattern } from '../../src/pattern/linear-pattern.ts';
import { UnsupportedPattern } from '../../src/pattern/parse-pattern.ts';
import { cpuMs } from '../template/templates.ts';

/**
 * Returns the result of JavaScript's own expression, tested at each character. Without `y`, V8 also tests the middle of
 * a surrogate pair and finds an empty match there, contrary to the standard.
 */
function native(source: string, text: string): boolean {
  const form = new RegExp(source, 'uy');
  const places = [...text].map((_, index, all) => all.slice(0, index).join('').length);
  return [...places, text.length].some((at) => {
    form.lastIndex = at;
    return form.test(text);
  });
}

function same(source: string, text: string): void {
  expect([source, text, linearPattern(source).test(text)]).toEqual([source, text, native(source, text)]);
}

const ATOMS = [
  'a',
  'b',
  'A',
  '1',
  '-',
  '_',
  ' ',
  'é',
  '😀',
  '.',
  '\\d',
  '\\D',
  '\\w',
  '\\W',
  '\\s',
  '\\S',
  '\\.',
  '\\/',
  '\\t',
  '\\n',
  '(?:\\0)',
  '\\x61',
  '\\u0061',
  '\\u{1F600}',
  '\\ud83d\\ude00',
  '\\ud83d',
  '\\cA',
  '\\p{L}',
  '\\P{Lu}',
  '\\p{Script=Greek}',
  '[ab]',
  '[^ab]',
  '[a-c1]',
  '[\\]\\\\]',
  '[^\\s\\d]',
  '[\\w-]',
  '[\\b]',
  '[]',
  '[^]',
  '[😀é]',
];
const ASSERTIONS = ['^', '$', '\\b', '\\B'];
const QUANTIFIERS = ['*', '+', '?', '*?', '+?', '??', '{2}', '{0}', '{1,}', '{0,2}', '{2,3}?'];

/** Sources of regular expressions, most of which backtrack. */
const { source } = fc.letrec<{ source: string; term: string; group: string }>((tie) => ({
  group: fc.oneof(
    tie('source').map((inner) => `(${inner})`),
    tie('source').map((inner) => `(?:${inner})`),
  ),
  term: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(...ATOMS),
    fc.constantFrom(...ASSERTIONS),
    fc
      .tuple(fc.oneof(fc.constantFrom(...ATOMS), tie('group')), fc.constantFrom(...QUANTIFIERS))
      .map((parts) => parts.join('')),
    tie('group'),
    fc.tuple(fc.constantFrom('(?=', '(?!', '(?<=', '(?<!'), tie('source')).map(([open, inner]) => `${open}${inner})`),
  ),
  source: fc
    .array(fc.array(tie('term'), { maxLength: 4 }), { minLength: 1, maxLength: 3 })
    .map((options) => options.map((terms) => terms.join('')).join('|')),
}));
const text = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      'A',
      '1',
      '-',
      '_',
      ' ',
      '\n',
      '\0',
      'é',
      'Ω',
      '😀',
      '\ud83d',
      '\ude00',
      '\\',
      ']',
      '\u2028',
    ),
    { maxLength: 9 },
  )
  .map((characters) => characters.join(''));

describe('a pattern of a JSON Schema', () => {
  it('matches the strings that JavaScript matches', () => {
    fc.assert(
      fc.property(source, fc.array(text, { minLength: 1, maxLength: 8 }), (pattern, texts) => {
        for (const one of texts) same(pattern, one);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ['^[A-Z]{2}-\\d{4}$', ['AB-1234', 'AB-123', 'xAB-1234']],
    ['^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$', ['ada@example.org', 'ada@example', 'a b@c.d']],
    ['^(?=.*[A-Z])(?=.*\\d).{8,}$', ['Secret123', 'secret123', 'S1']],
    ['^(?!\\s*$).+', ['  a', '   ', '']],
    ['(?<year>\\d{4})-(?<month>\\d\\d)', ['2026-01', '26-01']],
    ['(?<!\\$)\\b\\d+\\b(?! %)', ['$5', 'a 5 %', '7']],
    ['', ['', 'a']],
    ['a||b', ['']],
    ['(a*)*b|(?:){1000000000}c', ['aab', 'c', 'a']],
    ['^.{0,5000}$', ['', 'x'.repeat(5_000), 'x'.repeat(5_001)]],
    ['^(?:(?=(?<=a)b|^a).)*$', ['ab', 'aab', 'b']],
    ['^💩+$', ['💩💩', '\ud83d']],
  ])('matches the strings that JavaScript matches: %s', (pattern, texts) => {
    for (const one of texts) same(pattern, one);
  });

  it.each([
    ['^(a+)+$', 'a'.repeat(20_000)],
    ['^(a|a)*$', 'a'.repeat(20_000)],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', 'a'.repeat(20_000)],
    ['\\s+$', ' '.repeat(20_000)],
    ['(?=(a+)+$)', 'a'.repeat(20_000)],
    ['(?<!(a+)+)c', 'a'.repeat(20_000)],
    ['^(.*a){25}$', 'a'.repeat(2_000)],
  ])('takes time proportional to the string: %s', (pattern, begin) => {
    const { test } = linearPattern(pattern);
    expect(cpuMs(() => expect(test(`${begin}!`)).toBe(false))).toBeLessThan(1_000);
  });

  it.each([
    ['(a)\\1', 'has a backreference (\\1)'],
    ['(?<a>x)\\k<a>', 'has a backreference (\\k)'],
    ['(?:a{1000}){1000}', 'repeats too much'],
    [`${'('.repeat(5_000)}a${')'.repeat(5_000)}`, 'is nested too deeply'],
  ])('is rejected if it cannot be tested in linear time: %s', (pattern, why) => {
    expect(() => linearPattern(pattern)).toThrow(UnsupportedPattern);
    expect(() => linearPattern(pattern)).toThrow(why);
  });

  it.each(['(', '[z-a]', 'a{2,1}', '\\p{Nonsense}', '(?<a>x)(?<a>y)'])(
    'is rejected if it is not a regular expression: %s',
    (pattern) => {
      expect(() => linearPattern(pattern)).toThrow(SyntaxError);
    },
  );
});
