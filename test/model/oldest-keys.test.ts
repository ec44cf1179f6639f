import { describe, expect, it } from 'vitest';
import { oldestKeys } from '../../src/model/oldest-keys.ts';

/** A set that counts the searches for its oldest keys. */
class Counted extends Set<number> {
  looks = 0;

  override keys() {
    this.looks++;
    return super.keys();
  }
}

describe('the oldest keys of a set', () => {
  it('are an empty list while the set does not exceed its limit', () => {
    expect(oldestKeys(new Set(), 0)).toEqual([]);
    expect(oldestKeys(new Set([3, 1, 2]), 3)).toEqual([]);
  });

  it('are so many that nine tenths of the limit remain', () => {
    const set = new Set(Array.from({ length: 101 }, (_, i) => 1000 - i));
    expect(oldestKeys(set, 100)).toEqual(Array.from({ length: 11 }, (_, i) => 1000 - i));
    expect(oldestKeys(new Set(['a', 'b', 'c']), 1)).toEqual(['a', 'b']);
    expect(oldestKeys(new Set(['only']), 0)).toEqual(['only']);
  });

  it('are searched for once while a tenth of the limit is added, and never include the newest keys', () => {
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
