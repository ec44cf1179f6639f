import { expect, it } from 'vitest';
import { compareVersions, descendingVersions, highestVersion } from '../../src/template/version-order.ts';

it('versions are ordered as Semantic Versioning orders them', () => {
  const ascending = [
    '0.9.9',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.2.0',
    '1.10.0',
    '2.0.0-rc.1',
    '2.0.0',
    '10.0.0',
  ];
  expect(descendingVersions([...ascending].sort())).toEqual([...ascending].reverse());
  for (const [at, version] of ascending.entries()) {
    expect(compareVersions(version, version)).toBe(0);
    if (at > 0) expect(compareVersions(ascending[at - 1]!, version)).toBeLessThan(0);
  }
});

it('build metadata is ignored, and the highest of equal versions is the same in any order', () => {
  expect(compareVersions('1.0.0+5', '1.0.0+6')).toBe(0);
  expect(highestVersion(['1.0.0+5', '1.0.0+6'])).toBe('1.0.0+6');
  expect(highestVersion(['1.0.0+6', '1.0.0+5'])).toBe('1.0.0+6');
});

it('versions that are not three numbers are compared part by part', () => {
  expect(descendingVersions(['2024.10', '2024.2', '2024', 'v2', '2024.2.1'])).toEqual([
    'v2',
    '2024.10',
    '2024.2.1',
    '2024.2',
    '2024',
  ]);
  expect(highestVersion(['2024-12-31', '2025-01-01', '2024-02-01'])).toBe('2025-01-01');
  expect(highestVersion(['9999999999999998', '9999999999999999'])).toBe('9999999999999999');
  expect(highestVersion([])).toBeUndefined();
});
