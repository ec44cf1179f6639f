import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { instrumentsTable, withInstruments } from '../../scripts/docs/instruments-table.mjs';
import { prometheusName } from '../../src/metrics/instrument.ts';
import { INSTRUMENTS } from '../../src/metrics/instruments.ts';

const absent = JSON.parse(readFileSync('docs/absent-instruments.json', 'utf8')) as Record<string, string[]>;

it('the table in the guide is up to date (`npm run reference` writes it)', () => {
  const page = readFileSync('docs/instruments.md', 'utf8').replaceAll('\r\n', '\n');
  expect(page).toBe(withInstruments(page, instrumentsTable(INSTRUMENTS, absent)));
});

it('instruments have valid names, none of which is listed as absent', () => {
  const names = Object.values(INSTRUMENTS).map(({ name }) => name);
  const left = Object.values(absent).flat();
  expect(names.filter((name) => left.includes(name))).toEqual([]);
  expect(new Set([...names, ...left]).size).toBe(names.length + left.length);
  expect(names.filter((name) => !/^tasker(\.[a-z_]+)+$/.test(name))).toEqual([]);
  const prometheus = Object.values(INSTRUMENTS).map(prometheusName);
  expect(prometheus.filter((name) => !/^[a-z_]+$/.test(name))).toEqual([]);
});
