const LEVELS = '▁▂▃▄▅▆▇█';
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/**
 * Draws numbers as a line of bars of different heights. Zero is shown as `·`. At most `width` columns: neighboring
 * numbers are summed to fit.
 */
export function sparkline(values: readonly number[], width = 64): string {
  const each = Math.ceil(values.length / width);
  const sums: number[] = [];
  for (let i = 0; i < values.length; i += each) sums.push(values.slice(i, i + each).reduce((a, b) => a + b, 0));
  const most = Math.max(...sums);
  return sums
    .map((value) => (value === 0 ? '·' : LEVELS[Math.min(7, Math.max(0, Math.ceil((value / most) * 8) - 1))]!))
    .join('');
}

/** Draws a part of a whole, from 0 to 1, as a bar of at most `width` columns. */
export function bar(part: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, part)) * width * 8);
  if (eighths === 0) return part > 0 ? EIGHTHS[1]! : '';
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!;
}
