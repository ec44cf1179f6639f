/** A number in a JSON text that changes when it is parsed. */
export interface ChangedNumber {
  /** Such as `context.items[3].id`. Empty for the text itself. */
  path: string;
  /** The number as it was written. */
  source: string;
}

/** Nearly all texts have neither a long run of digits nor an exponent, so they are not read character by character. */
const SUSPICIOUS = /\d{16}|\d[eE]/;
const NUMBER = /-?\d[\d.eE+-]*/y;
const QUOTE = 34;

/**
 * Returns the first whole number of a JSON text that JavaScript would change: 9007199254740993 becomes
 * 9007199254740992. Undefined if there is none. Whole numbers that it keeps, such as 2^53 or 1e23, and fractions are not
 * reported. If the text is not valid JSON, the result has no meaning.
 */
export function changedNumber(text: string): ChangedNumber | undefined {
  if (!SUSPICIOUS.test(text)) return undefined;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
    } else if (code >= 48 && code <= 57) {
      const start = text[at - 1] === '-' ? at - 1 : at;
      NUMBER.lastIndex = start;
      const [source] = NUMBER.exec(text)!;
      if (isChanged(source)) return { path: pathAt(text, start), source };
      at = start + source.length - 1;
    }
  }
  return undefined;
}

/** Returns the position of the closing quote. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let escapes = 0;
    while (text[at - 1 - escapes] === '\\') escapes++;
    if (escapes % 2 === 0) return at;
  }
  return text.length;
}

/** Returns whether a whole number beyond 2^53 has another value after parsing. */
function isChanged(source: string): boolean {
  const value = Number(source);
  if (Math.abs(value) < Number.MAX_SAFE_INTEGER) return false;
  if (!Number.isFinite(value)) return !Number.isNaN(value);
  const [given, kept] = [decimalOf(source), decimalOf(String(value))];
  return given !== undefined && given !== kept;
}

/** Returns the digits of a whole number without trailing zeros, and their power of ten. Undefined for a fraction. */
function decimalOf(source: string): string | undefined {
  const [, whole, fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  if (whole === undefined) return undefined;
  const digits = (whole + fraction).replace(/^0+/, '');
  const kept = digits.replace(/0+$/, '');
  const power = Number(exponent) - fraction.length + digits.length - kept.length;
  return power < 0 ? undefined : `${kept}e${power}`;
}

/** Returns the path of the value at a position. */
function pathAt(text: string, end: number): string {
  const open: (string | number)[] = [];
  for (let at = 0; at < end; at++) {
    const char = text[at];
    if (char === '[') open.push(0);
    else if (char === '{') open.push('');
    else if (char === ']' || char === '}') open.pop();
    else if (char === ',' && typeof open.at(-1) === 'number') open[open.length - 1] = Number(open.at(-1)) + 1;
    else if (char === '"') {
      const close = endOfString(text, at);
      if (typeof open.at(-1) === 'string' && /^\s*:/.test(text.slice(close + 1, close + 100))) {
        open[open.length - 1] = keyOf(text.slice(at, close + 1));
      }
      at = close;
    }
  }
  const path = open.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return path.startsWith('.') ? path.slice(1) : path;
}

function keyOf(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return quoted; // the text is not valid JSON
  }
}
