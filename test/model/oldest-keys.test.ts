import { describe, expect, it } from 'vitest';
import { oldestKeys } from '../../src/model/oldest-keys.ts';

/** A set that counts how often its oldest keys are looked for. */
class Counted extends Set<number> {
  looks = 0;

  override keys() {
    this.looks++;
    return super.keys();
  }
}

describe('the oldest keys of a set', () => {
  it('are none while it has at most the allowed number', () => {
    expect(oldestKeys(new Set(), 0)).toEqual([]);
    expect(oldestKeys(new Set([3, 1, 2]), 3)).toEqual([]);
  });

  it('are as many as leave nine tenths of the allowed number', () => {
    const set = new Set(Array.from({ length: 101 }, (_, i) => 1000 - i));
    expect(oldestKeys(set, 100)).toEqual(Array.from({ length: 11 }, (_, i) => 1000 - i));
    expect(oldestKeys(new Set(['a', 'b', 'c']), 1)).toEqual(['a', 'b']);
    expect(oldestKeys(new Set(['only']), 0)).toEqual(['only']);
  });

  it('are looked for once in a tenth of the additions, and never are the newest', () => {
    const set = new Counted();
    let largest = 0;
    for (let key = 0; key < 10_000; key++) {
      set.add(key);
      for (const oldest of oldestKeys(set, 1_000)) set.delete(oldest);
      largest = Math.max(largest, set.size);
    }
    expect(largest).toBe(1_000);
    expect([...set]).toEqual(Array.from({ length: set.size }, (_, i) => 10_000 - set.size + i));
    expect(set.size).toBeGreaterThanOrEqual(900);
    expect(set.looks).toBeLessThanOrEqual(90);
  });
});
