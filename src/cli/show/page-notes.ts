import { UNNOTICED_LAG_MS } from '../../app/list-options.ts';
import type { SearchPage } from '../../app/operator-types.ts';
import { counted, timeLeft } from './text.ts';

/** Describes a page below its table: the number of results, the filter, and the age of the data. */
export function pageNotes(
  page: SearchPage,
  { found, what, filter }: { found: number; what: string; filter: string },
): string[] {
  const { total, totalIsExact, timedOut, lagMs } = page;
  const lines: string[] = [];
  if (found > 0) {
    const all = `${total.toLocaleString('en')}${totalIsExact ? '' : '+'}`;
    const one = totalIsExact && total === 1;
    const of = totalIsExact && total === found ? counted(found, what) : `${found} of ${all} ${what}${one ? '' : 's'}`;
    lines.push(filter === '' ? of : `${of}: ${filter}`);
  }
  if (timedOut)
    lines.push('stopped after 2 s, because no index serves this filter; the next page continues from there');
  if (lagMs > UNNOTICED_LAG_MS) lines.push(`changes of the last ${timeLeft(lagMs)} may be missing`);
  return lines;
}

/** Returns the command for the next page. */
export function nextPage(cursor: string, words: readonly string[]): string {
  return `next page: npx tasker ${words.join(' ')} --cursor ${cursor}`;
}
