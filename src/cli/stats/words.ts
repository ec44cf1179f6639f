import type { Tasker } from '../../app/tasker.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { spanOf, table } from '../show/text.ts';

/** Statistics of a window of time. */
export type Analytics = Awaited<ReturnType<Tasker['analytics']>>;
export type AnalyticsOptions = NonNullable<Parameters<Tasker['analytics']>[0]>;

/** A column of a table, by its title. */
export type Column<Row> = readonly [title: string, cell: (row: Row) => string];

export function capitalized(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}

/** `from 10:15 to 11:15 UTC`; with the date if it is not today. */
export function windowText({ from, to }: Pick<Analytics, 'from' | 'to'>): string {
  const today = new Date().toISOString().slice(0, 10);
  const clock = (time: string) =>
    time.startsWith(today) ? time.slice(11, 16) : `${time.slice(0, 10)} ${time.slice(11, 16)}`;
  return `from ${clock(from)} to ${clock(to)} UTC`;
}

/** A duration; below 10 ms with one decimal. */
export function time(ms: number | null): string {
  if (ms === null) return pc.dim('-');
  if (ms > 0 && ms < 10) return `${ms < 0.1 ? '<0.1' : ms.toFixed(1)} ms`;
  return spanOf(ms);
}

export function percent(part: number | null): string {
  if (part === null) return pc.dim('-');
  const shown = part * 100;
  // Only an exact 1 is shown as 100 %.
  if (part < 1 && shown > 99.9) return '>99.9 %';
  if (part > 0 && shown < 0.1) return '<0.1 %';
  return `${Number(shown.toFixed(1))} %`;
}

export function number(count: number): string {
  return count.toLocaleString('en-US');
}

export function nameOf({ namespace, name, version }: { namespace: string; name: string; version: string }): string {
  return `${namespace}/${name}@${version}`;
}

export function columnsOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[], more: string[][]): string {
  const cells = rows.map((row) => columns.map(([, cell]) => cell(row)));
  return table(
    columns.map(([title]) => title),
    [...cells, ...more],
  );
}
