/** A piece of TOML source: code, a comment, or a string with its quotes. */
export interface TomlPiece {
  kind: 'code' | 'comment' | 'basic' | 'literal';
  start: number;
  end: number;
}

const OPENERS = [
  ['"""', 'basic'],
  ["'''", 'literal'],
  ['"', 'basic'],
  ["'", 'literal'],
] as const;

/** Splits a TOML text into code, comments and strings. Does not validate it, because the parser does. */
export function scanToml(text: string): TomlPiece[] {
  const pieces: TomlPiece[] = [];
  let at = 0;
  let codeFrom = 0;
  const add = (kind: TomlPiece['kind'], end: number) => {
    if (codeFrom < at) pieces.push({ kind: 'code', start: codeFrom, end: at });
    pieces.push({ kind, start: at, end });
    at = end;
    codeFrom = end;
  };
  while (at < text.length) {
    if (text[at] === '#') {
      const newline = text.indexOf('\n', at);
      add('comment', newline === -1 ? text.length : newline);
      continue;
    }
    const opener = OPENERS.find(([quotes]) => text.startsWith(quotes, at));
    if (opener) add(opener[1], endOfString(text, { from: at, quotes: opener[0] }));
    else at++;
  }
  if (codeFrom < at) pieces.push({ kind: 'code', start: codeFrom, end: at });
  return pieces;
}

/**
 * Returns the end of a string. An unclosed string ends with its line, or with the text if it may span several lines.
 */
function endOfString(text: string, { from, quotes }: { from: number; quotes: string }): number {
  const escapes = quotes.startsWith('"');
  for (let at = from + quotes.length; at < text.length; at++) {
    if (escapes && text[at] === '\\') at++;
    else if (text[at] === '\n' && quotes.length === 1) return at;
    else if (text.startsWith(quotes, at)) {
      let end = at + quotes.length;
      // Up to two more quotes may precede the three closing ones.
      while (quotes.length === 3 && text[end] === quotes[0] && end < at + 5) end++;
      return end;
    }
  }
  return text.length;
}

/** Returns the 1-based line of an offset in a string. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}
