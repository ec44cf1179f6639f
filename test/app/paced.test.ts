import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Paced } from '../../src/app/paced.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function counted() {
  const times: number[] = [];
  const paced = new Paced(10, async () => void times.push(Date.now() - began));
  const began = Date.now();
  return { paced, times };
}

describe('what is paced', () => {
  it('is done at once when it is wanted, and again only after a while, however often it is wanted', () => {
    const { paced, times } = counted();
    for (let i = 0; i < 100; i++) {
      paced.want();
      vi.advanceTimersByTime(1);
    }
    expect(times).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    vi.advanceTimersByTime(1_000);
    expect(times).toHaveLength(11);
    paced.want();
    expect(times.at(-1)).toBe(1_100);
  });

  it('is done at once when it must be, and not after its end', async () => {
    const { paced, times } = counted();
    await paced.flush();
    expect(times).toEqual([]);
    paced.want();
    paced.want();
    await paced.flush();
    expect(times).toEqual([0, 0]);
    paced.want();
    paced.stop();
    vi.advanceTimersByTime(1_000);
    expect(times).toEqual([0, 0]);
  });
});
