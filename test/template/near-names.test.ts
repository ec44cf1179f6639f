import { describe, expect, it } from 'vitest';
import { nearNames } from '../../src/model/near-names.ts';
import { cpuMs } from './templates.ts';

describe('similar names', () => {
  const known = ['validate', 'ship', 'charge_card', 'charge', 'refund'];

  it('differ by one or two letters, most similar first', () => {
    expect(nearNames('valdate', known)).toEqual(['validate']);
    expect(nearNames('shpi', known)).toEqual(['ship']);
    expect(nearNames('chrage', known)[0]).toBe('charge');
  });

  it('can differ in case and separators', () => {
    expect(nearNames('Charge-Card', known)[0]).toBe('charge_card');
    expect(nearNames('all', ['ALL'])).toEqual(['ALL']);
  });

  it('can be an extension or a prefix of the wanted name', () => {
    expect(nearNames('timeout', ['timeout_seconds'])).toEqual(['timeout_seconds']);
    expect(nearNames('decision_point', ['decision', 'standard'])).toEqual(['decision']);
  });

  it('are empty if no name is similar', () => {
    expect(nearNames('nonsense', known)).toEqual([]);
    expect(nearNames('', known)).toEqual([]);
    expect(nearNames('ship', ['ship'])).toEqual([]);
  });

  it('are at most three by default, or at most the requested number', () => {
    const many = ['step1', 'step2', 'step3', 'step4'];
    expect(nearNames('step', many)).toEqual(['step1', 'step2', 'step3']);
    expect(nearNames('step', many, 1)).toEqual(['step1']);
  });

  it('are found quickly among ten thousand names of any length', () => {
    const long = Array.from({ length: 10_000 }, (_, index) => `${'x'.repeat(1000)}${index}`);
    expect(cpuMs(() => nearNames('x'.repeat(999), long))).toBeLessThan(1000);
  });
});
