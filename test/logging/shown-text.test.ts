import { expect, it } from 'vitest';
import { createColors } from '../../src/logging/terminal/colors.ts';
import { oneLine, shownText, withoutColors } from '../../src/logging/terminal/shown-text.ts';

const pc = createColors();

it('text keeps its colors, and escape sequences in text from users are escaped', () => {
  expect(shownText(pc.red('a\u001b[31mb'))).toBe('\u001b[31ma\\u001b[31mb\u001b[39m');
  expect(shownText(pc.dim(`a ${pc.dim('b')} c`))).toBe('\u001b[2ma \u001b[2mb\u001b[22m\u001b[2m c\u001b[22m');
  expect(withoutColors(pc.bold('a\u001bb'))).toBe('a\\u001bb');
});

it('C0 and C1 controls, bidirectional controls and line separators are escaped', () => {
  const signs = [0, 7, 8, 0xb, 0xd, 0x1b, 0x1f, 0x7f, 0x80, 0x9b, 0x9d, 0x61c, 0x200e, 0x200f, 0x2028, 0x2029];
  const overrides = [0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069];
  for (const code of [...signs, ...overrides]) {
    expect(shownText(`a${String.fromCharCode(code)}b`)).toBe(`a\\u${code.toString(16).padStart(4, '0')}b`);
  }
});

it('letters of any script, joiners, emoji, line breaks and tabs are not escaped', () => {
  const text = 'é 漢字 שלום عَرَبِي 👩‍🚀\n\tnext — “quoted”';
  expect(shownText(text)).toBe(text);
  expect(shownText('a\r\nb')).toBe('a\nb');
});

it('a line has no line breaks and no tabs, and can be shown without being escaped again', () => {
  expect(shownText(oneLine('a\r\nb\nc\td\u001b'))).toBe('a\\nb\\nc\\td\\u001b');
  expect(shownText(oneLine(pc.green('a\n')))).toBe('\u001b[32ma\\n\u001b[39m');
});

it('JSON with escaped characters is the same JSON', () => {
  const value = { 'k\u009b': '\u001b[2J\u202e\u007f\u2028\n\t' };
  const shown = shownText(JSON.stringify(value, null, 2));
  expect(shown).not.toMatch(/[\u007f-\u009f\u202e\u2028]/);
  expect(JSON.parse(shown)).toEqual(value);
});

it('color codes of another process are escaped', () => {
  expect(shownText('\u001b[1234;1234;1234;1234;31mred')).toBe('\\u001b[1234;1234;1234;1234;31mred');
});
