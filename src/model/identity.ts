import { createHash } from 'node:crypto';

/** What a task is the same as another by. */
export interface IdentityInput {
  namespace: string;
  name: string;
  version: string;
  strategy: 'strict' | 'caller_provided' | 'always_unique';
  idempotencyKey: string | null;
  /** JSON text. */
  context: string;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}

/**
 * The identity of a task as SHA-256 in hex, or null when it has none. A key in the request wins over any strategy;
 * strict takes the context, its keys sorted. `missing`: the strategy wants a key and there is none.
 */
export function identityHash(input: IdentityInput): string | null | 'missing' {
  const { strategy, idempotencyKey } = input;
  if (idempotencyKey === null && strategy === 'always_unique') return null;
  if (idempotencyKey === null && strategy === 'caller_provided') return 'missing';
  const what =
    idempotencyKey === null ? ['context', canonical(JSON.parse(input.context))] : ['idempotency_key', idempotencyKey];
  return createHash('sha256')
    .update(JSON.stringify([input.namespace, input.name, input.version, ...what]))
    .digest('hex');
}
