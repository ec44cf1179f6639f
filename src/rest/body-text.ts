import type { Context, MiddlewareHandler } from 'hono';
import { TaskerError } from '../errors.ts';
import { changedNumber } from './changed-number.ts';

/**
 * Reads the text of a body, before the routes do. Rejects text that would be stored in another form than it was sent:
 * bytes that are not UTF-8, and whole numbers that JavaScript cannot represent.
 */
export const checkBodyText: MiddlewareHandler = async (c, next) => {
  if (c.req.method === 'GET' || c.req.method === 'HEAD') return next();
  const bytes = await c.req.arrayBuffer();
  if (bytes.byteLength === 0) return next();
  const text = textOf(bytes);
  if (isJson(c)) {
    const changed = changedNumber(text);
    if (changed) throw notExact(changed);
  }
  // The type of Hono says string, but its methods store and read promises.
  c.req.bodyCache.text = Promise.resolve(text) as unknown as string;
  return next();
};

function textOf(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TaskerError('bad_request', 'the body is not UTF-8; encode its text as UTF-8', { cause });
  }
}

function isJson(c: Context): boolean {
  return /^application\/([\w.+-]*\+)?json\b/i.test(c.req.header('content-type') ?? '');
}

/** The error for a number that would be stored as another one. */
export function notExact({ path, source }: { path: string; source: string }): TaskerError {
  const shown = source.length > 40 ? `${source.slice(0, 40)}…` : source;
  return new TaskerError(
    'bad_request',
    `${path} is ${shown}, a whole number beyond 2^53 that would be stored as ${String(Number(source))}; send it as a string`,
    { details: { path } },
  );
}
