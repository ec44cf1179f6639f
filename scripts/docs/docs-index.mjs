// Reads docs/README.md, the table of contents of the documentation. The navigation of the site and llms.txt derive from it.

/**
 * Returns the sections of the page: a heading of the second level, or one of the third level with the one above it. A row
 * is a row of a table, with its cells and its links.
 */
export function docsIndex(text) {
  const sections = [];
  let part = '';
  for (const line of text.split('\n')) {
    const [, level, title] = /^(##|###) (.+)$/.exec(line) ?? [];
    if (level === '##') part = title;
    if (level) sections.push({ part, title, rows: [] });
    if (!line.startsWith('| ') || sections.length === 0) continue;
    const cells = line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()); // no cell of this page contains a bar
    const links = [...line.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, text, path]) => ({ text, path }));
    if (links.length > 0) sections.at(-1).rows.push({ cells, links });
  }
  return sections.filter(({ rows }) => rows.length > 0);
}
