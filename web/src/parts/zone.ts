import { useSyncExternalStore } from 'react';

/** The formats of times in the chosen time zone. */
export interface Zone {
  /** `browser`, `UTC`, or a name such as `Europe/Berlin`. */
  choice: string;
  date(time: Date): string;
  /** Without the year. */
  day(time: Date): string;
  /** With the day of the week, seconds and the zone. */
  exact(time: Date): string;
  clock(time: Date): string;
  hour(time: Date): string;
  /** With milliseconds, for logs. */
  instant(time: Date): string;
}

const CHOICE = 'tasker.zone';
const listeners = new Set<() => void>();

/**
 * Returns a function that writes times in a zone, by the clock of 24 hours. Undefined means the browser's time zone.
 */
export function timeFormat(options: Intl.DateTimeFormatOptions, timeZone?: string): (time: Date) => string {
  const formatter = new Intl.DateTimeFormat(undefined, { ...options, timeZone, hourCycle: 'h23' });
  return (time) => formatter.format(time);
}

function zoneOf(choice: string): Zone {
  const format = (options: Intl.DateTimeFormatOptions) =>
    timeFormat(options, choice === 'browser' ? undefined : choice);
  return {
    choice,
    date: format({ dateStyle: 'medium', timeStyle: 'short' }),
    day: format({ month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' }),
    exact: format({ dateStyle: 'full', timeStyle: 'long' }),
    clock: format({ timeStyle: 'medium' }),
    hour: format({ hour: '2-digit', minute: '2-digit' }),
    instant: format({ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 }),
  };
}

function stored(): Zone {
  try {
    return zoneOf(localStorage.getItem(CHOICE) ?? 'browser');
  } catch {
    return zoneOf('browser'); // a zone that this browser does not know
  }
}

let current = stored();

/** Returns the zone without subscribing to changes. The frame renders every screen again when the zone changes. */
export const zoneNow = (): Zone => current;

/** Returns the time zone of all screens. */
export function useZone(): Zone {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}

export function chooseZone(choice: string): void {
  localStorage.setItem(CHOICE, choice);
  current = zoneOf(choice);
  for (const listener of listeners) listener();
}

/** The zones to choose from. */
export function zones(): string[] {
  const own = current.choice === 'browser' ? [] : [current.choice];
  return [...new Set(['browser', 'UTC', ...own, ...Intl.supportedValuesOf('timeZone')])];
}
