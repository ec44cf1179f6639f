/** Limits on what a task may be created with. */
export const CONTEXT_LIMITS = {
  bytes: 1_048_576,
  depth: 10,
  keys: 1_000,
  items: 1_000,
  textLength: 10_000,
} as const;

/** The first place where a context is larger than allowed, or undefined. */
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
