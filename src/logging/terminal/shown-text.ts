import { OWN_CODE, OWN_CODES } from './colors.ts';

/**
 * Characters that would control the terminal or reorder its text: C0 and C1 controls, bidirectional controls, and
 * Unicode's line separators. Line breaks and tabs are not included.
 */
const CONTROLS = /[^\P{Cc}\n\t]|[\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;
const BREAKS = /\r\n|[\n\t]/g;

/**
 * Returns a text as a terminal may show it. Control characters that users, handlers and other systems have written are
 * escaped as in JSON (`\u001b`), so JSON remains the same JSON. The colors of `pc` become color codes of the terminal.
 *
 * @example
 * shownText('\u001b[2Jcleared'); // '\\u001b[2Jcleared'
 */
export function shownText(text: string): string {
  return replaced(text.replaceAll('\r\n', '\n'), '\u001b[');
}

/** Returns a text in one line, as in the cell of a table, with the colors of `pc`. Escapes line breaks and tabs too. */
export function oneLine(text: string): string {
  return replaced(
    text.replace(BREAKS, (sign) => (sign === '\t' ? String.raw`\t` : String.raw`\n`)),
    OWN_CODE,
  );
}

/** Returns a text as {@link shownText} does, without colors. */
export function withoutColors(text: string): string {
  return replaced(text.replaceAll('\r\n', '\n'), undefined);
}

/** Escapes control characters. The color codes of this process then start with `code`, or are removed. */
function replaced(text: string, code: string | undefined): string {
  return text
    .split(OWN_CODES)
    .map((part, i) => {
      // The captured ends of the codes are at odd indexes.
      if (i % 2 === 0) return part.replace(CONTROLS, escaped);
      return code === undefined ? '' : `${code}${part}`;
    })
    .join('');
}

function escaped(sign: string): string {
  return String.raw`\u` + sign.charCodeAt(0).toString(16).padStart(4, '0');
}
