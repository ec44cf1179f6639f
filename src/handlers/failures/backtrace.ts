import { fileURLToPath } from 'node:url';
import { classNameOf, messageOfThrown, read, storableText } from './thrown.ts';

const MAX_LINES = 50;
const MAX_LINE = 500;
/** Maximum number of other errors in the backtrace: causes and parts of the thrown error. */
const MAX_OTHERS = 5;
const MAX_FRAMES = 20;
/** Number of other frames to show if the stack has no frames of the user's code. */
const MAX_FOREIGN_FRAMES = 5;

const HERE = (import.meta.url as string | undefined) ?? '';

/** The folder of the published bundle (`scripts/bundle.mjs`). Undefined if this package does not run from it. */
export const BUNDLE = /\/dist\/bundle\/tasker-core-[A-Z0-9]{8}\.js$/.test(HERE) ? new URL('.', HERE) : undefined;

/**
 * The location of this package, as a URL and as a path, because stack traces contain either form. In a user's bundle, the
 * package has no separate location, so its frames cannot be distinguished from the user's.
 */
const OWN_URL = /\/handlers\/failures\/backtrace\.[jt]s$/.test(HERE) ? new URL('../..', HERE).href : BUNDLE?.href;
const OWN = OWN_URL === undefined ? [] : [OWN_URL, fileURLToPath(OWN_URL)];

/**
 * Returns the stack frames of a thrown value, one line each. Includes only frames of the user's code, not of this
 * package, of installed packages or of Node. If there are none, uses the first five frames outside this package. Up to
 * five causes and parts of an AggregateError follow with their frames, each once. Returns at most 50 lines of 500
 * characters.
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

/** Returns the errors behind an error: the parts of an AggregateError, then its cause. */
function othersOf(thrown: unknown): Other[] {
  const others: Other[] = [];
  const parts = read(thrown, 'errors');
  // A user's own array named `errors`, such as a schema's list of issues, does not hold thrown errors.
  const held: unknown[] = Array.isArray(parts) ? parts.slice(0, MAX_OTHERS).filter(isError) : [];
  for (const part of held) others.push({ role: 'one part:', thrown: part });
  const cause = read(thrown, 'cause');
  if (cause !== undefined && cause !== null) others.push({ role: 'caused by', thrown: cause });
  return others;
}

function isError(value: unknown): boolean {
  return typeof read(value, 'stack') === 'string';
}

/** Returns the frames of a stack, without the message. */
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
  // Handlers bundled from a folder are in node_modules/.cache, and without source maps their frames have that path.
  return !/[\\/]node_modules[\\/](?!\.cache[\\/])/.test(frame);
}

function isOwn(frame: string): boolean {
  return OWN.some((place) => frame.includes(place));
}
