import { expect, it } from 'vitest';
import { SharedLoopState } from '../../../src/worker/lease/loop-watch.ts';

it('an event loop is silent until it turns for the first time', () => {
  const state = new SharedLoopState();
  expect(state.silentMs).toBeGreaterThan(3_600_000);
  state.turned();
  expect(state.silentMs).toBeLessThan(60_000);
});
