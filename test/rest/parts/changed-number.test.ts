import { expect, it } from 'vitest';
import { changedNumber } from '../../../src/rest/changed-number.ts';

it('whole numbers that JavaScript would change are found, with their path', () => {
  expect(changedNumber('9007199254740993')).toEqual({ path: '', source: '9007199254740993' });
  expect(changedNumber('{"a":[1,{"b c":[[],-9007199254740993]}]}')).toEqual({
    path: 'a[1].b c[1]',
    source: '-9007199254740993',
  });
  expect(changedNumber('{"x":"\\"9007199254740993","y" : 12345678901234567890 }')).toEqual({
    path: 'y',
    source: '12345678901234567890',
  });
  for (const source of [
    '9007199254740993.0',
    '9007199254740993e0',
    '90071992547409930e-1',
    '9.007199254740993E+15',
    '1e400',
    '-1e400',
    '123456789012345678901',
  ]) {
    expect(changedNumber(`[${source}]`), source).toEqual({ path: '[0]', source });
  }
});

it('numbers that keep their value, fractions and digits in strings are not found', () => {
  const kept = ['9007199254740991', '-9007199254740991', '9007199254740992', '18014398509481984', '1e20', '1e23', '1E+300', '1e-400', '-0', '0e99', '10000000000000000000', '0.12345678901234567890', '9007199254740993e-16', '3.14159265358979323846', '1.5e3', '1.7976931348623157e308']; // biome-ignore format: one line
  for (const source of kept) expect(changedNumber(`{"a":${source}}`), source).toBeUndefined();
  for (const text of [
    '{"a":"9007199254740993"}',
    '{"9007199254740993":1}',
    '{"a":"\\\\","b":"\\"9007199254740993\\""}',
    '"9007199254740993',
    '{"a":"é9007199254740993"}',
    '',
  ]) {
    expect(changedNumber(text), text).toBeUndefined();
  }
});

it('a whole number is found exactly if its text after JSON.parse and JSON.stringify has another value', () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let i = 0; i < 20_000; i++) {
    const digits = Array.from({ length: random(22) }, () => random(10)).join('');
    const source = `${random(2) ? '-' : ''}${1 + random(9)}${digits}`;
    const isKept = wholeOf(JSON.stringify(JSON.parse(source))) === BigInt(source);
    expect([source, changedNumber(source) === undefined]).toEqual([source, isKept]);
  }
});

/** The value of a whole number such as `1.5e+21`. */
function wholeOf(text: string): bigint {
  const [, whole = '', fraction = '', exponent = '0'] = /^(-?\d+)(?:\.(\d+))?(?:e\+(\d+))?$/.exec(text)!;
  return BigInt(whole + fraction) * 10n ** BigInt(Number(exponent) - fraction.length);
}
