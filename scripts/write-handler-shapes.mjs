// Writes the table of handler shapes in docs/handler-outcomes.md, from the list that the tests use. With --check, only
// compares.
//   node scripts/write-handler-shapes.mjs
import { readFile, writeFile } from 'node:fs/promises';
import { HANDLER_SHAPES } from '../test/support/handler-shapes.mjs';

const file = new URL('../docs/handler-outcomes.md', import.meta.url);
const [BEGIN, END] = ['<!-- written by scripts/write-handler-shapes.mjs -->', '<!-- end -->'];

function rowOf({ shape, outcome: { state, attempts, result, type, message } }) {
  const stored = result ? `\`${JSON.stringify(result)}\`` : `\`${type}\`: ${message}`;
  return [shape, `\`${state}\``, String(attempts), stored];
}

const rows = [['a handler that', 'its step', 'attempts', 'the result, or the error'], ...HANDLER_SHAPES.map(rowOf)];
const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
const line = (cells, fill = ' ') => `| ${cells.map((cell, i) => cell.padEnd(widths[i], fill)).join(' | ')} |`;
const [head, ...body] = rows.map((row) => line(row));
const rule = line(['', '', '', ''], '-');
const table = [BEGIN, '', head, rule, ...body, '', END].join('\n');

const page = (await readFile(file, 'utf8')).replaceAll('\r\n', '\n');
const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
if (from < 0 || to < from)
  throw new Error(`docs/handler-outcomes.md: the markers of the table are missing: ${BEGIN} and ${END}`);
const wanted = page.slice(0, from) + table + page.slice(to + END.length);

if (!process.argv.includes('--check')) await writeFile(file, wanted);
else if (page !== wanted) {
  console.error(
    'docs/handler-outcomes.md: the table of shapes is out of date; run node scripts/write-handler-shapes.mjs',
  );
  process.exitCode = 1;
}
