/** The lengths of the periods in which statistics are kept, in minutes: a minute, an hour, a day, ten days. */
export type PeriodMinutes = 1 | 60 | 1440 | 14400;

/** The next shorter length of each length. */
const SHORTER = { 60: 1, 1440: 60, 14400: 1440 } as const;

/** Periods of one length. Milliseconds since 1970. */
export interface Periods {
  minutes: PeriodMinutes;
  from: number;
  /** The end, exclusive. */
  to: number;
}

/** The time range of statistics, in whole periods. Milliseconds since 1970. */
export interface StatisticsWindow {
  from: number;
  to: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
const TEN_DAYS_MS = 10 * DAY_MS;
/** The ages up to which minutes and hours are read. Both are kept a little longer. */
const MINUTES_KEPT_MS = 2 * DAY_MS - 5 * MINUTE_MS;
const HOURS_KEPT_MS = 90 * DAY_MS - 120 * MINUTE_MS;

function floor(time: number, minutes: number): number {
  return Math.floor(time / (minutes * MINUTE_MS)) * minutes * MINUTE_MS;
}

function ceil(time: number, minutes: number): number {
  return -floor(-time, minutes);
}

/** The length of the shortest periods that are kept around a time. */
function keptAt(time: number, now: number): PeriodMinutes {
  if (time >= now - MINUTES_KEPT_MS) return 1;
  return time >= now - HOURS_KEPT_MS ? 60 : 1440;
}

/** Returns the shortest window of whole periods that contains both times. */
export function windowOf({ from, to, now }: StatisticsWindow & { now: number }): StatisticsWindow {
  return { from: floor(from, keptAt(from, now)), to: ceil(to, keptBefore(to, { from, now })) };
}

/**
 * The length of the shortest periods that are kept before the end of a window. An end within an hour needs all minutes of
 * the hour before it, and an end within a day needs all hours of the day before it.
 */
function keptBefore(to: number, { from, now }: { from: number; now: number }): PeriodMinutes {
  if (keptAt(Math.max(from, floor(to, 60)), now) === 1) return 1;
  return keptAt(Math.max(from, floor(to, 1440)), now) === 1440 ? 1440 : 60;
}

/**
 * Returns the fewest periods that make up a window, none longer than `longest`. Ten-day periods are returned
 * individually.
 */
export function periodsOf({ from, to }: StatisticsWindow, longest: PeriodMinutes = 14400): Periods[] {
  if (from >= to) return [];
  if (longest === 1) return [{ minutes: 1, from, to }];
  const shorter = SHORTER[longest];
  const [first, last] = [ceil(from, longest), floor(to, longest)];
  if (first >= last) return periodsOf({ from, to }, shorter);
  return [
    ...periodsOf({ from, to: first }, shorter),
    ...(longest === 14400 ? eachTenDays(first, last) : [{ minutes: longest, from: first, to: last }]),
    ...periodsOf({ from: last, to }, shorter),
  ];
}

function eachTenDays(first: number, last: number): Periods[] {
  return Array.from({ length: (last - first) / TEN_DAYS_MS }, (_, i) => {
    const from = first + i * TEN_DAYS_MS;
    return { minutes: 14400, from, to: from + TEN_DAYS_MS };
  });
}

/** Lengths of chart points, in minutes. */
const POINTS = [
  1,
  2,
  5,
  10,
  15,
  30,
  60,
  120,
  180,
  360,
  720,
  1440,
  2880,
  7 * 1440,
  14 * 1440,
  30 * 1440,
  90 * 1440,
  365 * 1440,
];
const MOST_POINTS = 61;
/**
 * Approximate maximum number of periods that a chart reads, so that it loads quickly: minutes for half a day, hours for
 * a month.
 */
const MOST_PERIODS = 744;

/** How a chart divides a window: the start of its first point, and the length of each. */
export interface ChartPoints {
  origin: number;
  /** Number of points. */
  count: number;
  minutes: number;
  /** The longest periods that each belong to one point. */
  longest: PeriodMinutes;
}

/** Returns the longest period that divides a point of this length. */
function longestIn(minutes: number): PeriodMinutes {
  return minutes >= 1440 ? 1440 : minutes >= 60 ? 60 : 1;
}

/** Divides a window into at most 62 points. */
export function pointsOf({ from, to }: StatisticsWindow, now: number): ChartPoints {
  const shortest = keptAt(from, now);
  const isEnough = (one: number) =>
    one >= shortest &&
    (to - from) / (one * MINUTE_MS) <= MOST_POINTS &&
    (to - from) / (longestIn(one) * MINUTE_MS) <= MOST_PERIODS;
  const minutes = POINTS.find(isEnough) ?? POINTS.at(-1)!;
  const longest = longestIn(minutes);
  const origin = floor(from, longest);
  return { origin, minutes, longest, count: Math.max(1, Math.ceil((to - origin) / (minutes * MINUTE_MS))) };
}

/** Returns the number of the point that a period belongs to. */
export function pointAt(at: number, { origin, minutes, count }: ChartPoints): number {
  return Math.min(count - 1, Math.max(0, Math.floor((at - origin) / (minutes * MINUTE_MS))));
}
