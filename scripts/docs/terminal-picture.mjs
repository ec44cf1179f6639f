// Draws the screen of a terminal as an SVG, from its text with ANSI colors.

const CELL = { width: 8.4, height: 19 };
const MARGIN = { left: 18, top: 52, right: 18, bottom: 18 };
const FOREGROUND = '#d7dbe0';
/** SGR codes 31 to 36 and 90. */
const COLORS = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  34: '#79c0ff',
  35: '#d2a8ff',
  36: '#76e3ea',
  90: '#8b949e',
};

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const ESCAPE = String.fromCharCode(27);

/** Returns the style after SGR codes are applied to it. */
function styled(style, codes) {
  const next = { ...style };
  for (const code of codes) {
    if (code === 0) Object.assign(next, { color: undefined, bold: false, dim: false });
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 22) Object.assign(next, { bold: false, dim: false });
    else if (code === 39) next.color = undefined;
    else if (COLORS[code]) next.color = COLORS[code];
  }
  return next;
}

/** Returns the pieces of a line that have the same style, with the columns at which they begin. */
function piecesOf(line, before) {
  const pieces = [];
  let style = before;
  let column = 0;
  const [first, ...rest] = line.split(`${ESCAPE}[`);
  // Each part after the first begins with the codes of its style, and an m.
  const parts = [
    ['', first],
    ...rest.map((part) => [part.slice(0, part.indexOf('m')), part.slice(part.indexOf('m') + 1)]),
  ];
  for (const [codes, text] of parts) {
    if (codes !== '') style = styled(style, codes.split(';').map(Number));
    if (text !== '') pieces.push({ text, column, style });
    column += [...text].length;
  }
  return { pieces, style };
}

function textOf({ text: padded, column: start, style }, row) {
  const text = padded.trim().replaceAll(' ', '\u00a0');
  const column = start + [...padded].findIndex((character) => character !== ' ');
  const width = [...text].length * CELL.width;
  const attributes = [
    `x="${(MARGIN.left + column * CELL.width).toFixed(1)}"`,
    `y="${MARGIN.top + row * CELL.height}"`,
    `textLength="${width.toFixed(1)}"`,
    ...(style.color ? [`fill="${style.color}"`] : []),
    ...(style.dim ? ['opacity="0.6"'] : []),
    ...(style.bold ? ['font-weight="bold"'] : []),
  ];
  return `<text ${attributes.join(' ')}>${escaped(text)}</text>`;
}

/** Draws lines as a window with a title. */
export function svgOf(text, { title, columns }) {
  const lines = text.split('\n');
  const width = MARGIN.left + MARGIN.right + columns * CELL.width;
  const height = MARGIN.top + MARGIN.bottom + (lines.length - 1) * CELL.height;
  let style = {};
  const rows = lines.flatMap((line, row) => {
    const read = piecesOf(line.trimEnd(), style);
    style = read.style;
    return read.pieces.filter((piece) => piece.text.trim() !== '').map((piece) => textOf(piece, row));
  });
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (fill, i) => `<circle cx="${22 + i * 20}" cy="19" r="6" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(0)} ${height}" width="${width.toFixed(0)}" height="${height}" role="img" aria-label="${escaped(title)}">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${dots.join('\n')}
<text x="${(width / 2).toFixed(0)}" y="24" text-anchor="middle" fill="#8b949e" font-family="system-ui, sans-serif" font-size="13">${escaped(title)}</text>
<g fill="${FOREGROUND}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">
${rows.join('\n')}
</g>
</svg>
`;
}
