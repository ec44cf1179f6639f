/** An object as in JSON, by its keys. */
export type Fields = Record<string, unknown>;

/** Returns whether a value is an object and not an array. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the kind of a value, for messages that must not repeat the value because it may hold a password. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** Returns whether PostgreSQL can store a string. PostgreSQL rejects U+0000, and lone surrogates have no UTF-8 form. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** The JSON text of a value, or the place and the reason why PostgreSQL's jsonb cannot store exactly that value. */
export type Stored = { ok: true; json: string } | { ok: false; path: string; reason: string };

/** Limits of {@link storableJson}. */
export interface StorableLimits {
  /** Maximum size in bytes of UTF-8. Default 16 MiB. */
  maxBytes?: number;
  /** Maximum nesting of objects and arrays. Default 500. */
  maxDepth?: number;
  /** First part of the path in messages. Default `result`. */
  name?: string;
}

interface Refusal {
  reason: string;
  /** Keys from the rejected value up to the root. */
  keys: (string | number)[];
  /** The objects on the path, to distinguish a cycle from deep nesting. */
  holders: object[];
}

interface Walk {
  readonly maxDepth: number;
  readonly maxValues: number;
  /** Whether to check strings. Only needed if the JSON text shows that one may be invalid. */
  readonly texts: boolean;
  values: number;
}

export const MOST_RESULT_BYTES = 16 * 1024 * 1024;
const MAX_DEPTH = 500;
const BAD_TEXT = /[\0\ud800-\udfff]/u;

/**
 * Returns the JSON text of a value exactly as jsonb will store it, or the reason why it cannot be stored. Rejects what
 * JSON would silently change (NaN, a Map, a function) and what PostgreSQL would reject (U+0000). Undefined properties
 * are omitted, as always in JSON. Never throws.
 *
 * @example
 * storableJson({ items: [{ price: NaN }] }); // { ok: false, path: 'result.items[0].price', reason: 'NaN …' }
 */
export function storableJson(value: unknown, limits: StorableLimits = {}): Stored {
  const { maxBytes = MOST_RESULT_BYTES, maxDepth = MAX_DEPTH, name = 'result' } = limits;
  try {
    const refusal = check(value, 1, { maxDepth, maxValues: maxBytes, texts: false, values: 0 });
    if (refusal) return refused(refusal, name);

    const json = JSON.stringify(value);
    if (json === undefined) return { ok: false, path: name, reason: 'it has no JSON form' };
    // JSON.stringify escapes U+0000 and lone surrogates, but also other control characters.
    const bad = json.includes('\\u')
      ? check(value, 1, { maxDepth, maxValues: maxBytes, texts: true, values: 0 })
      : null;
    if (bad) return refused(bad, name);
    // A character takes at most three bytes, so most strings need not be measured.
    if (json.length * 3 > maxBytes && Buffer.byteLength(json) > maxBytes) {
      return { ok: false, path: name, reason: `it is larger than ${maxBytes} bytes` };
    }
    return { ok: true, json };
  } catch (thrown) {
    // The text exceeds the maximum length of a string, or the value changed between two reads.
    return { ok: false, path: name, reason: `it cannot be written as JSON: ${describe(thrown)}` };
  }
}

/** Checks each value once. The recursion ends at `maxDepth`. Paths are built only on the way back up. */
function check(value: unknown, depth: number, walk: Walk): Refusal | null {
  if (++walk.values > walk.maxValues) return refuse(`it is larger than ${walk.maxValues} bytes`);
  switch (typeof value) {
    case 'string':
      return walk.texts ? checkText(value) : null;
    case 'number':
      return Number.isFinite(value) ? null : refuse(`${value} is not a JSON number`);
    case 'boolean':
      return null;
    case 'object':
      return value === null ? null : checkObject(value, depth, walk);
    case 'undefined':
      return refuse('undefined has no JSON form; use null');
    case 'bigint':
      return refuse('a BigInt has no JSON form; use String(x) or Number(x)');
    case 'function':
    case 'symbol':
      return refuse(`a ${typeof value} has no JSON form`);
  }
}

function checkObject(value: object, depth: number, walk: Walk): Refusal | null {
  if (depth > walk.maxDepth) return refuse(`it is nested deeper than ${walk.maxDepth} levels`, value);
  let found: Refusal | null;
  let key: string | number | undefined;
  try {
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') return checkJsonForm(toJSON.call(value, ''), depth, walk);
    if (Array.isArray(value)) {
      for (key = 0; key < value.length; key++) {
        found = check(value[key], depth + 1, walk);
        if (found) return inside(found, value, key);
      }
      return null;
    }

    const prototype: unknown = Object.getPrototypeOf(value);
    const plain = prototype === Object.prototype || prototype === null;
    if (!plain && isBoxed(value)) return check(value.valueOf(), depth, walk);
    if (!plain && vanishes(value)) return refuse(vanishReason(value));
    for (key in value) {
      if (!plain && !Object.hasOwn(value, key)) continue;
      found = walk.texts ? checkText(key) : null;
      if (found) return inside(found, value, key);
      const property = (value as Record<string, unknown>)[key];
      // A method of a class instance is not data. A function in a plain object is more likely a mistake.
      if (property === undefined || (!plain && typeof property === 'function')) continue;
      found = check(property, depth + 1, walk);
      if (found) return inside(found, value, key);
    }
    return null;
  } catch (thrown) {
    const refusal = refuse(`it could not be read: ${describe(thrown)}`);
    return key === undefined ? refusal : inside(refusal, value, key);
  }
}

/** Checks the result of `toJSON`. JSON does not call `toJSON` of that result. */
function checkJsonForm(json: unknown, depth: number, walk: Walk): Refusal | null {
  if (typeof json !== 'object' || json === null || !('toJSON' in json)) return check(json, depth, walk);
  return check({ ...json, toJSON: undefined }, depth, walk);
}

function checkText(value: string): Refusal | null {
  if (!BAD_TEXT.test(value)) return null;
  return refuse(value.includes('\0') ? 'PostgreSQL cannot store U+0000' : 'a lone surrogate is not valid text');
}

function isBoxed(value: object): boolean {
  return value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt;
}

/** Returns whether JSON would drop the content of the object: a Map, an Error, a typed array, or no own properties. */
function vanishes(value: object): boolean {
  if (ArrayBuffer.isView(value) || value instanceof Error) return true;
  return tagOf(value) !== 'Object' && Object.keys(value).length === 0;
}

const HINTS: Record<string, string> = {
  Map: 'use Object.fromEntries(map)',
  Set: 'use [...set]',
  Promise: 'await it',
  Error: 'use its message',
  RegExp: 'use its source',
};

function vanishReason(value: object): string {
  const kind = tagOf(value);
  return `${kind} has no JSON form; ${HINTS[kind] ?? 'convert it to plain objects, arrays and strings'}`;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

function refuse(reason: string, ...holders: object[]): Refusal {
  return { reason, keys: [], holders };
}

function inside(refusal: Refusal, holder: object, key: string | number): Refusal {
  refusal.keys.push(key);
  refusal.holders.push(holder);
  return refusal;
}

function refused({ reason, keys, holders }: Refusal, name: string): Stored {
  keys.reverse();
  holders.reverse();
  // holders[0] is the root, and keys[i] leads to holders[i + 1]. If a holder occurs twice, there is a cycle.
  const seen = new Map<object, number>();
  for (const [index, holder] of holders.entries()) {
    const before = seen.get(holder);
    if (before !== undefined) {
      const reason = `it is circular: it leads back to ${pathOf(name, keys.slice(0, before))}`;
      return { ok: false, path: pathOf(name, keys.slice(0, index)), reason };
    }
    seen.set(holder, index);
  }
  return { ok: false, path: pathOf(name, keys), reason };
}

const MAX_PATH = 400;

function pathOf(name: string, keys: readonly (string | number)[]): string {
  let path = name;
  for (const key of keys) {
    if (path.length > MAX_PATH) return `${path}…`;
    if (typeof key === 'number') path += `[${key}]`;
    else if (/^[\p{ID_Start}$_][\p{ID_Continue}$-]*$/u.test(key) && key.length <= MAX_PATH) path += `.${key}`;
    else path += `[${JSON.stringify(key.slice(0, MAX_PATH))}]`;
  }
  return path;
}

function describe(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return 'something that cannot be read';
  }
}

/** Limits of a task's context. `textLength` is in characters. */
export const CONTEXT_LIMITS = {
  bytes: 1_048_576,
  depth: 10,
  keys: 1_000,
  items: 1_000,
  textLength: 10_000,
} as const;

/** Returns the first place where a context exceeds a limit, or undefined. */
export function overLimit(value: unknown, path = '', depth = 1): { path: string; reason: string } | undefined {
  if (typeof value === 'string') {
    return value.length > CONTEXT_LIMITS.textLength
      ? { path, reason: `has ${value.length} characters; at most ${CONTEXT_LIMITS.textLength} are allowed` }
      : undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  if (depth > CONTEXT_LIMITS.depth) return { path, reason: `is nested deeper than ${CONTEXT_LIMITS.depth} levels` };
  if (Array.isArray(value)) return overLimitOfList(value, path, depth);
  const keys = Object.keys(value);
  if (keys.length > CONTEXT_LIMITS.keys) {
    return { path, reason: `has ${keys.length} keys; at most ${CONTEXT_LIMITS.keys} are allowed` };
  }
  for (const key of keys) {
    if (key.length > CONTEXT_LIMITS.textLength) {
      return {
        path,
        reason: `has a key of ${key.length} characters; at most ${CONTEXT_LIMITS.textLength} are allowed`,
      };
    }
    const wrong = overLimit((value as Record<string, unknown>)[key], `${path}.${key}`, depth + 1);
    if (wrong) return wrong;
  }
  return undefined;
}

function overLimitOfList(value: readonly unknown[], path: string, depth: number) {
  if (value.length > CONTEXT_LIMITS.items) {
    return { path, reason: `has ${value.length} items; at most ${CONTEXT_LIMITS.items} are allowed` };
  }
  for (let i = 0; i < value.length; i++) {
    const wrong = overLimit(value[i], `${path}[${i}]`, depth + 1);
    if (wrong) return wrong;
  }
  return undefined;
}
