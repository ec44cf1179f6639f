import { Hono } from 'hono';
import { expect, it } from 'vitest';
import { Gate, rejectLate } from '../../../src/rest/gate.ts';

/** Enters as often as the gate allows, up to a maximum. Returns the number of entries. */
function enterAll(gate: Gate, most: number, now: number): number {
  let entered = 0;
  while (entered < most && gate.enter(now)) entered++;
  return entered;
}

it('an idle server accepts a burst up to its maximum', () => {
  expect(enterAll(new Gate({ poolSize: 10 }), 1_000, 0)).toBe(500);
  expect(enterAll(new Gate({ poolSize: 10, mostRequests: 7 }), 1_000, 0)).toBe(7);
});

it('a slow server accepts only as many requests as it handles in two seconds', () => {
  const gate = new Gate({ poolSize: 10 });
  enterAll(gate, 500, 0);
  // The server handles 50 requests in a second, so the last request of the burst waits for 10 seconds.
  for (let i = 1; i <= 400; i++) gate.leave(i * 20);
  expect(gate.open).toBe(100);
  expect(gate.enter(8_010)).toBe(false);
  gate.leave(8_020);
  gate.leave(8_040);
  expect(enterAll(gate, 1_000, 8_050)).toBe(2);
  expect(gate.open).toBe(100);
});

it('a server that completes no requests accepts only a few, and the maximum again after it was idle', () => {
  const gate = new Gate({ poolSize: 4 });
  expect(enterAll(gate, 30, 0)).toBe(30);
  expect(gate.enter(999)).toBe(true);
  expect(gate.enter(1_001)).toBe(false);
  for (let i = 0; i < 31; i++) gate.leave(5_000);
  expect(enterAll(gate, 1_000, 5_001)).toBe(200);
});

it('a fast server with a constant number of callers rejects none', () => {
  const gate = new Gate({ poolSize: 10 });
  enterAll(gate, 200, 0);
  let refused = 0;
  for (let i = 1; i <= 20_000; i++) {
    gate.leave(i);
    if (!gate.enter(i)) refused++;
  }
  expect([refused, gate.open]).toEqual([0, 200]);
});

it('a few requests that take long do not lower the limit', () => {
  const gate = new Gate({ poolSize: 10 });
  expect(enterAll(gate, 19, 0)).toBe(19);
  expect(enterAll(gate, 481, 60_000)).toBe(481);
});

it('a request that waited too long for its turn is rejected, even if few are in progress', async () => {
  const refused: unknown[] = [];
  const app = new Hono();
  app.use(rejectLate);
  app.get('/', (c) => c.text('ok'));
  app.onError((error, c) => {
    refused.push(error);
    return c.text('refused', 503);
  });
  const statusAfter = async (waitedMs: number) => (await app.request('/', {}, { waitedMs })).status;
  expect([await statusAfter(499), await statusAfter(501), await statusAfter(0)]).toEqual([200, 503, 200]);
  expect(refused).toMatchObject([{ code: 'backpressure', details: { retry_after_seconds: 1 } }]);
});
