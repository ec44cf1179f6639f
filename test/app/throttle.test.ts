import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Throttle } from '../../src/time/throttle.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function counted() {
  const times: number[] = [];
  const throttle = new Throttle(10, async () => void times.push(Date.now() - began));
  const began = Date.now();
  return { throttle, times };
}

describe('a throttled action', () => {
  it('the action runs immediately, and runs again only after a pause, however often it is requested', async () => {
    const { throttle, times } = counted();
    for (let i = 0; i < 100; i++) {
      throttle.want();
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(times).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(times).toHaveLength(11);
    throttle.want();
    expect(times.at(-1)).toBe(1_100);
  });

  it('flush runs a pending action immediately, and stop drops it', async () => {
    const { throttle, times } = counted();
    await throttle.flush();
    expect(times).toEqual([]);
    throttle.want();
    throttle.want();
    await throttle.flush();
    expect(times).toEqual([0, 0]);
    throttle.want();
    throttle.stop();
    await vi.advanceTimersByTimeAsync(1_000);
    throttle.want();
    expect(times).toEqual([0, 0]);
  });

  it('flush also waits for a run that is in progress', async () => {
    let end!: () => void;
    const throttle = new Throttle(10, () => new Promise<void>((resolve) => (end = resolve)));
    throttle.want();
    let flushed = false;
    const flushing = throttle.flush().then(() => (flushed = true));
    await vi.advanceTimersByTimeAsync(100);
    expect(flushed).toBe(false);
    end();
    await flushing;
  });

  it('flush runs an action that was requested during a run, and waits for both runs', async () => {
    const ends: (() => void)[] = [];
    const throttle = new Throttle(10, () => new Promise<void>((resolve) => ends.push(resolve)));
    throttle.want();
    throttle.want();
    let flushed = false;
    const flushing = throttle.flush().then(() => (flushed = true));
    expect(ends).toHaveLength(2);
    ends[1]!();
    throttle.want();
    await vi.advanceTimersByTimeAsync(100);
    expect([flushed, ends.length]).toEqual([false, 2]);
    ends[0]!();
    await flushing;
    await vi.advanceTimersByTimeAsync(10);
    expect(ends).toHaveLength(3);
  });

  it('the action does not overlap with itself, and runs again immediately if it took longer than the pause', async () => {
    const ends: (() => void)[] = [];
    const throttle = new Throttle(10, () => new Promise<void>((resolve) => ends.push(resolve)));
    for (let i = 0; i < 100; i++) {
      throttle.want();
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(ends).toHaveLength(1);
    ends[0]!();
    await vi.advanceTimersByTimeAsync(0);
    expect(ends).toHaveLength(2);
  });
});
