import { durationText } from '../duration.ts';
import { cronFields } from './cron.ts';
import type { ScheduleSpec } from './spec.ts';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const DAY_NAMES = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/**
 * Describes in plain words when a schedule is due: `at 09:00 on weekdays, Europe/Berlin`. An expression that is too
 * complicated for words is shown unchanged.
 */
export function scheduleWords({
  cron,
  everyMs,
  timezone,
}: Pick<ScheduleSpec, 'cron' | 'everyMs' | 'timezone'>): string {
  if (everyMs !== null) return `every ${lengthWords(everyMs)}`;
  return `${cronWords(cron!) ?? `cron ${cron!.trim()}`}, ${timezone}`;
}

function lengthWords(ms: number): string {
  const [, count, unit] = /^(.+)([smhd])$/.exec(durationText(ms))!;
  const name = { s: 'second', m: 'minute', h: 'hour', d: 'day' }[unit as 's' | 'm' | 'h' | 'd'];
  return count === '1' ? name : `${count} ${name}s`;
}

function cronWords(expression: string): string | undefined {
  const [second, minute, hour, day, month, weekday] = cronFields(expression) as [string, ...string[]] & string[];
  const time = timeWords(second, minute!, hour!);
  const days = dayWords(day!, weekday!);
  const months = monthWords(month!);
  if (time === undefined || days === undefined || months === undefined) return undefined;
  return `${time}${days === '' && time.startsWith('at ') && months === '' ? ' every day' : days}${months}`;
}

function timeWords(second: string, minute: string, hour: string): string | undefined {
  const s = numbersOf(second, 59);
  const m = numbersOf(minute, 59);
  const h = numbersOf(hour, 23);
  if (s && m && h && s.length * m.length * h.length <= 4) {
    const withSeconds = s.some((value) => value !== 0);
    const times = h.flatMap((x) =>
      m.flatMap((y) => s.map((z) => [x, y, ...(withSeconds ? [z] : [])].map(two).join(':'))),
    );
    return `at ${listed(times)}`;
  }
  const between = /^(\d+)-(\d+)$/.exec(hour);
  const hours =
    hour === '*' ? '' : between ? ` from ${two(Number(between[1]))} to ${two(Number(between[2]))} h` : undefined;
  if (hours !== undefined && s?.length === 1 && s[0] === 0) {
    if (minute === '*') return `every minute${hours}`;
    const step = /^\*\/(\d+)$/.exec(minute);
    if (step) return `every ${step[1]} minutes${hours}`;
    if (m?.length === 1) return m[0] === 0 ? `every hour${hours}` : `every hour at minute ${m[0]}${hours}`;
    return undefined;
  }
  const hourStep = /^\*\/(\d+)$/.exec(hour);
  if (hourStep && m?.length === 1 && s?.length === 1 && s[0] === 0) {
    return `every ${hourStep[1]} hours${m[0] === 0 ? '' : ` at minute ${m[0]}`}`;
  }
  if (hour === '*' && minute === '*') {
    if (second === '*') return 'every second';
    const step = /^\*\/(\d+)$/.exec(second);
    if (step) return `every ${step[1]} seconds`;
  }
  return undefined;
}

function dayWords(day: string, weekday: string): string | undefined {
  if (weekday === '*' || weekday === '?') {
    if (day === '*' || day === '?') return '';
    if (/^l$/i.test(day)) return ' on the last day of the month';
    const days = numbersOf(day, 31);
    return days && days.length <= 6 ? ` on the ${listed(days.map(ordinal))} of the month` : undefined;
  }
  if (day !== '*' && day !== '?') return undefined;
  const plain = weekday.toLowerCase().replace(/[a-z]{3}/g, (name) => String(DAY_NAMES.indexOf(name)));
  if (plain === '1-5') return ' on weekdays';
  const days = numbersOf(plain, 7)?.map((value) => value % 7);
  if (!days) return undefined;
  if (days.length === 2 && days.includes(0) && days.includes(6)) return ' on weekends';
  return ` on ${listed([...new Set(days)].map((value) => `${DAYS[value]}s`))}`;
}

function monthWords(month: string): string | undefined {
  if (month === '*' || month === '?') return '';
  const months = numbersOf(month, 12);
  return months?.every((value) => value > 0) ? ` in ${listed(months.map((value) => MONTHS[value - 1]!))}` : undefined;
}

/** Returns the numbers of a list such as `1,2,5-7`. Undefined if the field has anything else. */
function numbersOf(field: string, most: number): number[] | undefined {
  const numbers: number[] = [];
  for (const part of field.split(',')) {
    const [, first, last = first] = /^(\d{1,2})(?:-(\d{1,2}))?$/.exec(part) ?? [];
    if (first === undefined || Number(last) > most || Number(last) < Number(first)) return undefined;
    for (let value = Number(first); value <= Number(last); value++) numbers.push(value);
  }
  return numbers;
}

function listed(words: readonly string[]): string {
  return words.length === 1 ? words[0]! : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function ordinal(value: number): string {
  const suffix = value % 100 >= 11 && value % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][value % 10] ?? 'th');
  return `${value}${suffix}`;
}
