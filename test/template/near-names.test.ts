import { describe, expect, it } from 'vitest';
import { nearNames } from '../../src/model/near-names.ts';
import { cpuMs } from './templates.ts';

describe('near names', () => {
  const known = ['validate', 'ship', 'charge_card', 'charge', 'refund'];

  it('are a letter or two away, the nearest first', () => {
    expect(nearNames('valdate', known)).toEqual(['validate']);
    expect(nearNames('shpi', known)).toEqual(['ship']);
    expect(nearNames('chrage', known)[0]).toBe('charge');
  });

  it('may differ in case and separators', () => {
    expect(nearNames('Charge-Card', known)[0]).toBe('charge_card');
    expect(nearNames('all', ['ALL'])).toEqual(['ALL']);
  });

  it('may go on where the wanted one ends, or end where it goes on', () => {
    expect(nearNames('timeout', ['timeout_seconds'])).toEqual(['timeout_seconds']);
    expect(nearNames('decision_point', ['decision', 'standard'])).toEqual(['decision']);
  });

  it('are none where nothing is like it', () => {
    expect(nearNames('nonsense', known)).toEqual([]);
    expect(nearNames('', known)).toEqual([]);
    expect(nearNames('ship', ['ship'])).toEqual([]);
  });

  it('are at most three, or as many as are asked for', () => {
    const many = ['step1', 'step2', 'step3', 'step4'];
    expect(nearNames('step', many)).toEqual(['step1', 'step2', 'step3']);
    expect(nearNames('step', many, 1)).toEqual(['step1']);
  });

  it('are found quickly among ten thousand, however long they are', () => {
    const long = Array.from({ length: 10_000 }, (_, index) => `${'x'.repeat(1000)}${index}`);
    expect(cpuMs(() => nearNames('x'.repeat(999), long))).toBeLessThan(1000);
  });
});
