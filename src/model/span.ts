const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const;

/**
 * Formats the time that is left, from an hour on in two units: `1 d 23 h`, `2 h 5 min`. It is rounded, so that three days
 * less a second are `3 d`.
 */
export function timeLeft(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return spanOf(ms < 60_000 ? ms : minutes * 60_000);
  if (minutes < 1440) return inTwo(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return inTwo(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function inTwo(large: number, unit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`;
}

/** Formats a duration: `12 ms`, `3.4 s`, `5 min`, `2 h`, `3 d`. */
export function spanOf(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const [size, unit] = UNITS.find(([size]) => ms >= size) ?? UNITS[2];
  return `${Math.max(1, Math.floor(ms / size))} ${unit}`;
}
