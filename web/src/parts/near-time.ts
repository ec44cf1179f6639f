import { timeLeft } from '../../../src/model/span.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Describes a time less than a day away. A negative `ms` is in the future. Examples: `just now`, `3 min ago`, `in 1 h 29 min`. */
export function nearText(ms: number): string {
  const size = Math.abs(ms);
  if (size < 5 * SECOND) return ms >= 0 ? 'just now' : 'now';
  const seconds = `${Math.round(size / SECOND)} s`;
  if (ms < 0) return `in ${size < MINUTE ? seconds : timeLeft(size)}`;
  return `${size < MINUTE ? seconds : oneUnit(size)} ago`;
}

function oneUnit(ms: number): string {
  return ms < HOUR ? `${Math.round(ms / MINUTE)} min` : `${Math.round(ms / HOUR)} h`;
}
