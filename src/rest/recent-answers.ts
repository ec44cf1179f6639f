import type { Context, MiddlewareHandler } from 'hono';
import { callerOf } from './caller.ts';

/** A response that other callers may get too. */
interface Kept {
  at: number;
  status: 200;
  body: string;
  type: string;
}

/** Options of {@link recentAnswers}. */
export interface RecentAnswersOptions {
  /** Maximum number of responses to keep. */
  most?: number;
  /** Larger responses, in characters, are not kept. */
  largest?: number;
}

const MOST = 200;
const LARGEST = 256 * 1024;
/** Older responses are not used, even if a request allows them. */
const OLDEST_SECONDS = 120;
/** Responses that depend on the rights of the caller, but not on its name. */
const COMMON = /^\/v1\/(status|summary|stats|task-histogram|tasks|templates|queues|workers|namespaces|schedules)(\/|$)/;
/** Responses about the caller, and responses without an end. */
const OWN = /^\/v1\/(me|session|auth|stream)(\/|$)|\/stream$/;

/**
 * Shares responses between callers with the same rights: a GET request with `Cache-Control: max-age=N` gets a response
 * that is at most N seconds old. Fifty open web pages therefore load the database no more than one. Other requests are
 * read from the database.
 */
export function recentAnswers({ most = MOST, largest = LARGEST }: RecentAnswersOptions = {}): MiddlewareHandler {
  const answers = new Map<string, Kept>();
  const running = new Map<string, Promise<Kept | undefined>>();
  const keep = (key: string, kept: Kept | undefined) => {
    // The age counts from the start of the read.
    if (!kept || (answers.get(key)?.at ?? 0) > kept.at) return;
    answers.delete(key);
    answers.set(key, kept);
    if (answers.size > most) answers.delete(answers.keys().next().value!);
  };
  return async (c, next) => {
    const seconds = c.req.method === 'GET' && !OWN.test(c.req.path) ? maxAgeOf(c) : undefined;
    if (seconds === undefined) return next();
    const key = keyOf(c);
    const begun = running.get(key);
    let found = seconds > 0 ? fresh(answers.get(key), seconds) : undefined;
    // Awaits only an existing read, because another request could begin a second one during an unnecessary await.
    if (!found && seconds > 0 && begun) found = await begun;
    if (found) {
      c.header('age', String(Math.floor((performance.now() - found.at) / 1000)));
      return c.body(found.body, found.status, { 'content-type': found.type });
    }
    const at = performance.now();
    const reading = next().then(() => answerOf(c.res, { at, largest }));
    const shared = reading.catch(() => undefined);
    running.set(key, shared);
    try {
      keep(key, await reading);
    } finally {
      if (running.get(key) === shared) running.delete(key);
    }
    return undefined;
  };
}

function fresh(kept: Kept | undefined, seconds: number): Kept | undefined {
  return kept && performance.now() - kept.at <= seconds * 1000 ? kept : undefined;
}

/** Returns the maximum age of a response, in seconds. Undefined if the request allows no earlier response. */
function maxAgeOf(c: Context): number | undefined {
  const seconds = /(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])/.exec(c.req.header('cache-control') ?? '')?.[1];
  return seconds === undefined ? undefined : Math.min(Number(seconds), OLDEST_SECONDS);
}

/** Everything that a response depends on. */
function keyOf(c: Context): string {
  const { pathname, search } = new URL(c.req.url);
  const { subject, roles, namespaces, permissions } = callerOf(c);
  const own = COMMON.test(pathname) ? [] : [subject, roles];
  return JSON.stringify([pathname, search, c.req.header('accept'), namespaces ?? null, permissions ?? null, own]);
}

async function answerOf(answer: Response, { at, largest }: { at: number; largest: number }): Promise<Kept | undefined> {
  const type = answer.headers.get('content-type') ?? '';
  if (answer.status !== 200 || !type.startsWith('application/json')) return undefined;
  const body = await answer.clone().text();
  return body.length <= largest ? { at, status: 200, body, type } : undefined;
}
