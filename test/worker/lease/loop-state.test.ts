import { expect, it } from 'vitest';
import { SharedLoopState } from '../../../src/worker/lease/loop-watch.ts';

it('an event loop that has just turned is not silent, and an event loop that never turned is', () => {
  const state = new SharedLoopState();
  expect(state.silentMs).toBeGreaterThan(3_600_000);
  state.turned();
  expect(state.silentMs).toBeLessThan(60_000);
});
