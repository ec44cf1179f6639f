import { describe, expect, it } from 'vitest';
import { ScanWidth } from '../../../src/events/delivery/group/scan-width.ts';

/** How many ids are looked at, after so many answers to a group that wants one event in so many. */
function widthFor(oneIn: number): number {
  const width = new ScanWidth(200);
  for (let i = 0; i < 20; i++) width.found(Math.min(200, Math.floor(width.ids / oneIn)), 200);
  return width.ids;
}

describe('the number of ids that are looked at for one answer', () => {
  it('is that of the events which are given out, for a group that wants all', () => {
    expect(widthFor(1)).toBe(200);
  });

  it('grows for a group that wants few, and has an end', () => {
    expect(widthFor(1_000)).toBe(2_000);
    expect(widthFor(4)).toBeGreaterThanOrEqual(400);
    expect(widthFor(4)).toBeLessThanOrEqual(2_000);
  });

  it('shrinks again when there are many', () => {
    const width = new ScanWidth(200);
    for (let i = 0; i < 5; i++) width.found(0, 200);
    expect(width.ids).toBe(2_000);
    for (let i = 0; i < 5; i++) width.found(200, 200);
    expect(width.ids).toBe(200);
  });
});
