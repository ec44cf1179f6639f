import { describe, expect, it } from 'vitest';
import { ScanWidth } from '../../../src/events/delivery/group/scan-width.ts';

/** The width after 20 queries, for a group that wants one event in `oneIn`. */
function widthFor(oneIn: number): number {
  const width = new ScanWidth(200);
  for (let i = 0; i < 20; i++) width.found(Math.min(200, Math.floor(width.ids / oneIn)), 200);
  return width.ids;
}

describe('the number of ids scanned in one query', () => {
  it('equals the number of events to return for a group that wants all events', () => {
    expect(widthFor(1)).toBe(200);
  });

  it('grows up to a limit for a group that wants few events', () => {
    expect(widthFor(1_000)).toBe(2_000);
    expect(widthFor(4)).toBeGreaterThanOrEqual(400);
    expect(widthFor(4)).toBeLessThanOrEqual(2_000);
  });

  it('shrinks again when many events match', () => {
    const width = new ScanWidth(200);
    for (let i = 0; i < 5; i++) width.found(0, 200);
    expect(width.ids).toBe(2_000);
    for (let i = 0; i < 5; i++) width.found(200, 200);
    expect(width.ids).toBe(200);
  });
});
