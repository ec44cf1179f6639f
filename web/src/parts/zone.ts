import { useSyncExternalStore } from 'react';

/** How times are written in the chosen time zone. */
export interface Zone {
  /** `browser`, `UTC`, or a name such as `Europe/Berlin`. */
  choice: string;
  date(time: Date): string;
  /** With the day of the week, seconds and the zone. */
  exact(time: Date): string;
  clock(time: Date): string;
  hour(time: Date): string;
}

const CHOICE = 'tasker.zone';
const listeners = new Set<() => void>();

function zoneOf(choice: string): Zone {
  const timeZone = choice === 'browser' ? undefined : choice;
  const format = (options: Intl.DateTimeFormatOptions) => {
    const formatter = new Intl.DateTimeFormat(undefined, { ...options, timeZone });
    return (time: Date) => formatter.format(time);
  };
  return {
    choice,
    date: format({ dateStyle: 'medium', timeStyle: 'short' }),
    exact: format({ dateStyle: 'full', timeStyle: 'long' }),
    clock: format({ timeStyle: 'medium' }),
    hour: format({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }),
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
