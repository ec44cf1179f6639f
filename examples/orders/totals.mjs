import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';

const PROBLEMS = {
  http_429: 'busy (429, retry-after 1 s)',
  http_500: 'internal error (500)',
  timeout: 'no response in time',
  connection_lost: 'connection lost',
};

/** Width of the first column of a table. */
export const WIDTH = 48;
const euros = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' });

/** Returns the totals as lines. They depend only on the orders, and are the same in every run. */
export function totalsOf(outcomes, captures) {
  const complete = outcomes.filter((outcome) => outcome.complete);
  const refused = outcomes.filter((outcome) => outcome.code);
  const failed = outcomes.filter((outcome) => !outcome.complete && !outcome.code);
  const retried = complete.filter((outcome) => outcome.problems.length > 0);
  const cents = captures.reduce((sum, { amount_cents }) => sum + amount_cents, 0);
  return [
    row(pc.bold('orders'), outcomes.length),
    row(pc.green('complete'), complete.length),
    row('  at the first attempt', complete.length - retried.length),
    row('  after retries', retried.length),
    ...grouped(retried, (outcome) => [...new Set(outcome.problems)].map((kind) => PROBLEMS[kind] ?? kind)),
    row(pc.yellow('refused by a rule'), refused.length),
    ...grouped(refused, ({ code }) => [code.replaceAll('_', ' ')]),
    ...(failed.length > 0 ? [row(pc.red('failed'), failed.length), ...grouped(failed, ({ why }) => [why])] : []),
    row('charges', captures.length, `${euros.format(cents / 100)}, according to the payment service`),
  ];
}

/** Returns a row for each reason, the most frequent first, with its orders. */
function grouped(outcomes, reasonsOf) {
  const orders = new Map();
  for (const outcome of outcomes) {
    for (const reason of reasonsOf(outcome)) orders.set(reason, [...(orders.get(reason) ?? []), outcome.orderId]);
  }
  return [...orders]
    .sort(([a, some], [b, more]) => more.length - some.length || a.localeCompare(b))
    .map(([reason, ids]) => row(pc.dim(`    ${reason}`), ids.length, pc.dim(ids.join(' '))));
}

/** Returns a row of a table: label, number and remark. */
export function row(what, count, remark = '') {
  const gap = ' '.repeat(Math.max(1, WIDTH - stripVTControlCharacters(what).length));
  return `  ${what}${gap}${String(count).padStart(4)}   ${remark}`.trimEnd();
}
