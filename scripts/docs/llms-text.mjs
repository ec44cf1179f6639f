// The text of llms.txt (https://llmstxt.org): docs/README.md as a list that assistants read.
import { docsIndex } from './docs-index.mjs';

/** Sections whose links an assistant may leave out. */
const OPTIONAL = ['Details'];

const plain = (text) => text.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1').replaceAll('`', '');
const entry = ({ text, path }, note) => `- [${text}](docs/${path})${note ? `: ${note}` : ''}`;

/** Returns the entries of a row: its page with its description, or a link for each of the pages that a task or a subject has. */
function entriesOf({ cells, links }, part) {
  if (part === 'Find by task') return links.map((link) => entry(link, plain(cells[0])));
  if (links.length > 1) return links.map((link) => entry(link, `details about ${plain(cells[0])}`));
  return links.map((link) => entry(link, plain(cells.at(-1))));
}

/** Returns llms.txt, given docs/README.md and package.json. */
export function llmsText(index, { name, description }) {
  const intro = /^# .+\n\n([\s\S]*?)\n\n/.exec(index)[1].replaceAll('\n', ' ');
  const sections = docsIndex(index).map(({ part, title, rows }) => {
    const heading = part === 'Find by task' ? `${part}: ${title}` : title;
    return {
      heading: OPTIONAL.includes(title) ? 'Optional' : heading,
      rows: rows.flatMap((row) => entriesOf(row, part)),
    };
  });
  return [
    `# ${name}`,
    '',
    `> ${description}`,
    '',
    intro,
    '',
    ...sections.flatMap(({ heading, rows }) => [`## ${heading}`, '', ...rows, '']),
  ].join('\n');
}
