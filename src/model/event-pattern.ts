/**
 * Patterns of event names as one regular expression, for JavaScript and PostgreSQL alike. `*` is any run of characters,
 * `?` any one, `[a-c]` one of a set, `[!a-c]` one that is not in it; everything else is itself, so a dot is a dot.
 *
 * @example
 * regexOfPatterns(['payment.*', 'order.completed']); // ^(?:payment\..*|order\.completed)$
 */
export function regexOfPatterns(patterns: readonly string[]): string {
  return `^(?:${patterns.map(regexOf).join('|')})$`;
}

function regexOf(pattern: string): string {
  let regex = '';
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at]!;
    if (char === '*') regex += '.*';
    else if (char === '?') regex += '.';
    else if (char === '[') {
      const end = pattern.indexOf(']', at + (pattern[at + 1] === '!' ? 3 : 2));
      if (end === -1) regex += '\\[';
      else {
        regex += setOf(pattern.slice(at + 1, end));
        at = end;
      }
    } else regex += escaped(char);
  }
  return regex;
}

function setOf(set: string): string {
  const negated = set.startsWith('!');
  const chars = [...(negated ? set.slice(1) : set)].map((char) => (char === '-' ? char : escaped(char))).join('');
  return `[${negated ? '^' : ''}${chars}]`;
}

/** Of letters, digits and `_` an escape would mean something else. */
const escaped = (char: string) => (/\w/.test(char) || char > '\x7f' ? char : `\\${char}`);
