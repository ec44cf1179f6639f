import type { Context, MiddlewareHandler } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import { notThere, type ScopedThing, scopeOf } from '../../engine/credentials/scopes.ts';
import { TaskerError } from '../../errors.ts';
import { isUuid } from '../../model/ids.ts';
import { type Caller, callerOf } from '../caller.ts';
import { maySee } from '../scope.ts';
import { Recent } from './recent.ts';
import { refuse } from './refuse.ts';
import type { RouteRules } from './route-rules.ts';

/** Maximum number of tasks whose namespaces are cached. The namespace of a task never changes. */
const MOST_TASKS = 20_000;

/** A part of a path that belongs to a namespace, or names one. */
interface ScopedPart {
  thing: ScopedThing | 'namespace';
  /** The number of the segment in the path. */
  segment: number;
}

/** Parameters that name a task or a namespace in any path. */
const BY_NAME: Readonly<Record<string, ScopedPart['thing']>> = {
  ':task_uuid': 'task',
  ':task': 'task',
  ':namespace': 'namespace',
  ':ns': 'namespace',
};
/** Beginnings of paths whose next segment belongs to a namespace. */
const BY_PLACE: Readonly<Record<string, ScopedPart['thing']>> = {
  '/v1/tasks': 'task',
  '/v1/dlq/entry': 'dead_letter',
  '/v1/schedules': 'schedule',
};

/** Returns the parts of a route's path that belong to namespaces. */
export function scopedParts(path: string): ScopedPart[] {
  const segments = path.split('/');
  return segments.flatMap((text, segment): ScopedPart[] => {
    if (!text.startsWith(':')) return [];
    const name = text.replace(/\{.*\}$/, '');
    const thing = BY_NAME[name] ?? BY_PLACE[segments.slice(0, segment).join('/')];
    return thing === undefined ? [] : [{ thing, segment }];
  });
}

/**
 * Limits callers to their namespaces. A request for an object in another namespace gets the same error as for a missing
 * object. Routes without such an object in their path must limit their responses themselves, and have `scoped: true`.
 * Requests to other routes are rejected.
 */
export function limitToNamespaces(tasker: Tasker, rules: RouteRules): MiddlewareHandler {
  const tasks = new Recent<string | undefined>({ freshMs: Number.POSITIVE_INFINITY, most: MOST_TASKS });
  const parts = new Map<string, ScopedPart[]>();
  const look = async (thing: ScopedThing, key: string): Promise<string | undefined> => {
    const { database } = tasker.engine;
    if (thing !== 'task') return scopeOf(database, thing, key);
    const id = key.toLowerCase();
    const namespace = await tasks.get(id, () => scopeOf(database, thing, key));
    if (namespace === undefined) tasks.forget(id);
    return namespace;
  };
  const check = async (caller: Caller, thing: ScopedPart['thing'], key: string): Promise<void> => {
    if (thing === 'namespace') {
      if (!maySee(caller, key)) throw new TaskerError('not_found', `namespace ${key} not found`);
    } else if (thing === 'schedule' || isUuid(key)) {
      // The route rejects other values.
      if (!maySee(caller, await look(thing, key))) throw notThere(thing, key);
    }
  };
  return async (c, next) => {
    const caller = callerOf(c);
    const rule = caller.namespaces === undefined ? undefined : rules.of(c);
    if (!rule || rule.permission === 'public') return next();
    const found = parts.get(rule.path) ?? scopedParts(rule.path);
    parts.set(rule.path, found);
    for (const { thing, segment } of found) await check(caller, thing, segmentOf(c, segment));
    if (found.length === 0 && !rule.scoped) {
      refuse(
        c,
        'forbidden',
        `${c.req.method} ${rule.path} shows or changes all namespaces, and ${caller.subject} is limited to ${caller.namespaces!.join(', ')}`,
      );
    }
    return next();
  };
}

/** Returns a segment of the path as the route reads it. */
function segmentOf(c: Context, segment: number): string {
  const text = c.req.path.split('/')[segment] ?? '';
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
