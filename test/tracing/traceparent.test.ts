import { expect, it } from 'vitest';
import { idsOf, traceparentOf } from '../../src/tracing/traceparent.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

it('a traceparent contains the ids of a span and can be created from them', () => {
  const ids = { traceId, spanId, traceFlags: 1 };
  expect(idsOf(`00-${traceId}-${spanId}-01`)).toEqual(ids);
  expect(traceparentOf(ids)).toBe(`00-${traceId}-${spanId}-01`);
  expect(traceparentOf({ ...ids, traceFlags: 0 })).toBe(`00-${traceId}-${spanId}-00`);
});

it.each([
  '',
  'no',
  `00-${traceId}-${spanId}`,
  `ff-${traceId}-${spanId}-01`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${'0'.repeat(32)}-${spanId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
  `00-${traceId}-${spanId}-01\n`,
])('%j is not a traceparent', (text) => {
  expect(idsOf(text)).toBeUndefined();
});
