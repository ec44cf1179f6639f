import { TaskerError } from '../errors.ts';

/** Returns whether the name of an event matches. */
export type EventMatcher = (eventName: string) => boolean;

/**
 * Returns one regular expression for all patterns. In a pattern, `*` matches any characters, dots included, `?` matches
 * one character, `[a-c]` one of a set and `[!a-c]` one outside of it. A dot matches a dot. The expression means the same
 * to JavaScript and to PostgreSQL's `~`. Without patterns it matches no name.
 *
 * @throws TaskerError `bad_request` for an empty pattern, a range that runs backwards, or characters that PostgreSQL
 *   reads differently
 */
export function regexOfPatterns(patterns: readonly string[]): string {
  return `^(?:${patterns.map(regexOfPattern).join('|')})$`;
}

/** Returns a matcher of names. The patterns are parsed once. @throws what {@link regexOfPatterns} throws */
export function eventMatcher(patterns: readonly string[]): EventMatcher {
  const regex = new RegExp(regexOfPatterns(patterns));
  return (eventName) => regex.test(eventName);
}

/** Characters that PostgreSQL rejects, or reads as one character where JavaScript reads two. */
const UNSUPPORTED = /[\0\ud800-\udfff]/;

function regexOfPattern(pattern: string): string {
  if (pattern === '')
    throw new TaskerError('bad_request', 'an event pattern must not be empty; use `*` for all events');
  if (UNSUPPORTED.test(pattern)) {
    const shown = JSON.stringify(pattern.slice(0, 40));
    throw new TaskerError(
      'bad_request',
      `event pattern ${shown}: names of events cannot have U+0000 or characters above U+FFFF`,
    );
  }
  let regex = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    const end = character === '[' ? endOfClass(pattern, at) : -1;
    if (end > 0) {
      regex += regexOfClass(pattern, pattern.slice(at + 1, end));
      at = end;
    } else regex += character === '*' ? '.*' : character === '?' ? '.' : escaped(character);
  }
  return regex;
}

/** Returns the end of a class, or -1 if it has no end and `[` is an ordinary character. A leading `]` is a member. */
function endOfClass(pattern: string, start: number): number {
  const first = pattern[start + 1] === '!' || pattern[start + 1] === '^' ? start + 2 : start + 1;
  return pattern.indexOf(']', first + 1);
}

function regexOfClass(pattern: string, content: string): string {
  const not = content.startsWith('!') || content.startsWith('^');
  const members = [...(not ? content.slice(1) : content)];
  let regex = '';
  for (let at = 0; at < members.length; at++) {
    const from = members[at]!;
    const to = members[at + 1] === '-' ? members[at + 2] : undefined;
    if (to === undefined) {
      regex += escaped(from);
      continue;
    }
    if (from > to)
      throw new TaskerError('bad_request', `event pattern ${pattern}: the range ${from}-${to} runs backwards`);
    regex += `${escaped(from)}-${escaped(to)}`;
    at += 2;
  }
  return `[${not ? '^' : ''}${regex}]`;
}

/** Escapes a character, except letters, digits and underscores: an escaped letter has another meaning. */
function escaped(character: string): string {
  return /[\w\s]|[^\0-\x7f]/.test(character) ? character : `\\${character}`;
}
