import { fileURLToPath } from 'node:url';
import { classNameOf, messageOfThrown, read, storableText } from './thrown.ts';

const MAX_LINES = 50;
const MAX_LINE = 500;
/** Errors that are told of besides the one that was thrown: its causes and its parts. */
const MAX_OTHERS = 5;
const MAX_FRAMES = 20;
/** Without a frame of the user's, so many of others stand for them. */
const MAX_FOREIGN_FRAMES = 5;

/**
 * Where this package's own code is, as a URL and as a path: stacks have either. Bundled into somebody's program it has
 * no place of its own, and then its frames can't be told from theirs.
 */
const HERE: string | undefined = import.meta.url;
const OWN_URL = /\/handlers\/failures\/backtrace\.[jt]s$/.test(HERE ?? '') ? new URL('../..', HERE).href : undefined;
const OWN = OWN_URL === undefined ? [] : [OWN_URL, fileURLToPath(OWN_URL)];

/**
 * Where it was thrown, a frame a line: the frames of the user's code, without those of this package, of installed
 * packages and of Node (of an error from there alone, its first five). Then its causes and the parts of an
 * AggregateError, at most five in all, each once, with their frames. At most 50 lines of 500 characters.
 */
export function backtraceOf(thrown: unknown): string[] {
  const lines = framesOf(thrown);
  const seen = new Set([thrown]);
  const waiting = othersOf(thrown);
  for (let next = waiting.shift(); next && seen.size <= MAX_OTHERS; next = waiting.shift()) {
    if (seen.has(next.thrown)) continue;
    seen.add(next.thrown);
    lines.push(storableText(`${next.role} ${classNameOf(next.thrown)}: ${messageOfThrown(next.thrown)}`, MAX_LINE));
    lines.push(...framesOf(next.thrown));
    waiting.unshift(...othersOf(next.thrown));
  }
  return lines.length > MAX_LINES
    ? [...lines.slice(0, MAX_LINES - 1), `… ${lines.length - MAX_LINES + 1} more`]
    : lines;
}

interface Other {
  role: 'caused by' | 'one part:';
  thrown: unknown;
}

/** What lies behind an error: the parts of an AggregateError, then its cause. */
function othersOf(thrown: unknown): Other[] {
  const others: Other[] = [];
  const parts = read(thrown, 'errors');
  // An array of one's own that is called `errors` (a schema's list, for instance) is not what was thrown.
  const held: unknown[] = Array.isArray(parts) ? parts.slice(0, MAX_OTHERS).filter(isError) : [];
  for (const part of held) others.push({ role: 'one part:', thrown: part });
  const cause = read(thrown, 'cause');
  if (cause !== undefined && cause !== null) others.push({ role: 'caused by', thrown: cause });
  return others;
}

function isError(value: unknown): boolean {
  return typeof read(value, 'stack') === 'string';
}

/** The frames of a stack, without the message before them. */
function framesOf(thrown: unknown): string[] {
  const stack = read(thrown, 'stack');
  if (typeof stack !== 'string') return [];
  const frames = stack.split('\n', 200).filter((line) => /^\s+at /.test(line));
  const users = frames.filter(isUsers).slice(0, MAX_FRAMES);
  const shown = users.length > 0 ? users : frames.filter((frame) => !isOwn(frame)).slice(0, MAX_FOREIGN_FRAMES);
  return shown.map((line) => storableText(line.trim(), MAX_LINE));
}

function isUsers(frame: string): boolean {
  if (/[ (]node:|\(<anonymous>\)$|\(native\)$/.test(frame) || isOwn(frame)) return false;
  // Handlers that were bundled from a folder lie in node_modules/.cache; where source maps are off, the stack says so.
  return !/[\\/]node_modules[\\/](?!\.cache[\\/])/.test(frame);
}

function isOwn(frame: string): boolean {
  return OWN.some((place) => frame.includes(place));
}
