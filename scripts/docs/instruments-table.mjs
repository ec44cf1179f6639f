/** Generates the table of instruments in docs/instruments.md, and the table of names that are not used here. */

const prometheusName = ({ name, unit }) => name.replaceAll('.', '_') + (unit ? `_${unit}` : '');
const code = (text) => `\`${text}\``;

/** Returns the text between the markers of the page. */
export function instrumentsTable(instruments, absent) {
  const rows = Object.values(instruments).map((one) =>
    [code(prometheusName(one)), one.kind, one.labels.map(code).join(', '), `${one.help}.`].join(' | '),
  );
  const left = Object.entries(absent).map(([reason, names]) => `${names.map(code).join(', ')} | ${reason}`);
  return [
    '| name | kind | labels | what it counts |',
    '|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
    '',
    'Names of the original system that have no meaning here:',
    '',
    '| name | why not |',
    '|---|---|',
    ...left.map((row) => `| ${row} |`),
  ].join('\n');
}

/** Returns the page with the current table. */
export function withInstruments(page, table) {
  return page.replace(
    /(<!-- instruments: written by scripts\/write-instruments\.mjs -->\n)[\s\S]*?(<!-- end of instruments -->)/,
    (_, begin, end) => `${begin}\n${table}\n\n${end}`,
  );
}
