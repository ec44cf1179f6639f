import { nearText } from './near-time.ts';
import { zoneNow } from './zone.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Returns a duration in the two largest units: `850 ms`, `12.4 s`, `3 min 20 s`, `2 d 4 h`. */
export function durationText(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 59.95 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < HOUR) return two(ms, MINUTE, 'min', SECOND, 's');
  if (ms < DAY) return two(ms, HOUR, 'h', MINUTE, 'min');
  return two(ms, DAY, 'd', HOUR, 'h');
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest > 0 ? ` ${rest} ${smallName}` : ''}`;
}

/**
 * Returns a time relative to another: `just now`, `3 min ago`, `in 1 h 29 min`. Beyond a day, returns its date and time.
 */
export function relativeText(time: Date, now: Date): string {
  const ms = now.getTime() - time.getTime();
  return Math.abs(ms) >= DAY ? dateText(time) : nearText(ms);
}

/** Texts of times, in the chosen zone. */
export const dateText = (time: Date) => zoneNow().date(time);
export const dayText = (time: Date) => zoneNow().day(time);
export const exactText = (time: Date) => zoneNow().exact(time);
export const clockText = (time: Date) => zoneNow().clock(time);
export const hourText = (time: Date) => zoneNow().hour(time);
export const instantText = (time: Date) => zoneNow().instant(time);

/** Parses a time from the API. Times without a zone are in UTC. */
export function timeOf(text: string): Date {
  return new Date(/Z|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`);
}

const NUMBER = new Intl.NumberFormat('en');
export const numberText = (value: number) => NUMBER.format(value);

/** Returns a number, with a plus if it is a lower bound: `10,000+`. */
export const boundText = (value: number, atLeast: boolean) => `${numberText(value)}${atLeast ? '+' : ''}`;

/** Returns a number with its noun, as {@link counted}, or `10,000+ tasks` for a lower bound. */
export function countedBound(count: number, noun: string, atLeast: boolean): string {
  return atLeast ? `${boundText(count, true)} ${noun}s` : counted(count, noun);
}

export function percentText(share: number): string {
  const percent = share * 100;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** Returns a number with its noun, and that they are run again: `1 step is run again`, `57 steps are run again`. */
export function runAgain(count: number, noun: string): string {
  return `${counted(count, noun)} ${count === 1 ? 'is' : 'are'} run again`;
}

/** Returns a number of tasks, and that they are blocked: `1 task is blocked`, `65 tasks are blocked`. */
export function areBlocked(count: number): string {
  return `${counted(count, 'task')} ${count === 1 ? 'is' : 'are'} blocked`;
}

/** Returns a number with its noun: `1 task`, `57 tasks`. */
export function counted(count: number, noun: string): string {
  return `${numberText(count)} ${noun}${count === 1 ? '' : 's'}`;
}
