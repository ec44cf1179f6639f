import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

const ROWS_A_WRITE = 10_000;
const REGIONS = ['north', 'south', 'east', 'west'];

/**
 * Writes a file with the given number of sales. The same number always gives the same file. @returns the totals of its
 * rows
 */
export async function writeSales(file, rows) {
  const out = createWriteStream(file);
  out.write('id,region,cents\n');
  let cents = 0;
  for (let first = 0; first < rows; first += ROWS_A_WRITE) {
    const ids = Array.from({ length: Math.min(ROWS_A_WRITE, rows - first) }, (_, i) => first + i);
    const amounts = ids.map((id) => (id * 7919) % 100_003);
    cents += amounts.reduce((sum, amount) => sum + amount, 0);
    const lines = ids.map((id, i) => `${id},${REGIONS[id % REGIONS.length]},${amounts[i]}\n`);
    if (!out.write(lines.join(''))) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
  return { rows, cents };
}
