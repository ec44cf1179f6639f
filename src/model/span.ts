const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const;

/** Formats the time that is left: rounded, so that three days less a second are `3 d`. */
export function timeLeft(ms: number): string {
  const [size] = UNITS.find(([size]) => ms >= size) ?? [0];
  return spanOf(ms + size / 2);
}

/** Formats a duration: `12 ms`, `3.4 s`, `5 min`, `2 h`, `3 d`. */
export function spanOf(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const [size, unit] = UNITS.find(([size]) => ms >= size) ?? UNITS[2];
  return `${Math.max(1, Math.floor(ms / size))} ${unit}`;
}
