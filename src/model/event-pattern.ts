import { TaskerError } from '../errors.ts';

/** Whether the name of an event is one that somebody asked for. */
export type EventMatcher = (eventName: string) => boolean;

/**
 * The patterns as one regular expression of names. In a pattern `*` is any run of characters, dots included, `?` is one
 * character, `[a-c]` one of some and `[!a-c]` one of all others; a dot is a dot. It means the same to JavaScript and to
 * PostgreSQL's `~`. Without patterns it matches no name.
 *
 * @throws TaskerError `bad_request` for an empty pattern, a class whose range runs backwards, or characters that PostgreSQL reads otherwise
 */
export function regexOfPatterns(patterns: readonly string[]): string {
  return `^(?:${patterns.map(regexOfPattern).join('|')})$`;
}

/** Tells which names match one of the patterns; they are read once, here. Throws as {@link regexOfPatterns}. */
export function eventMatcher(patterns: readonly string[]): EventMatcher {
  const regex = new RegExp(regexOfPatterns(patterns));
  return (eventName) => regex.test(eventName);
}

/** To JavaScript these are two characters, and to PostgreSQL one, or none that it takes. */
const BEYOND = /[\0\ud800-\udfff]/;

function regexOfPattern(pattern: string): string {
  if (pattern === '') throw new TaskerError('bad_request', 'an event pattern must not be empty; `*` is all events');
  if (BEYOND.test(pattern)) {
    const shown = JSON.stringify(pattern.slice(0, 40));
    throw new TaskerError(
      'bad_request',
      `event pattern ${shown}: no event's name has U+0000, or characters beyond U+FFFF`,
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

/** Where a class ends; -1 when it never does, and so is none. A `]` that comes first stands for itself. */
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

/** Only what is no letter, digit or underscore: an escaped letter is something else. */
function escaped(character: string): string {
  return /[\w\s]|[^\0-\x7f]/.test(character) ? character : `\\${character}`;
}
