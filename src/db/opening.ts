import { createHash } from 'node:crypto';
import type { Statement } from './statement.ts';

export const BEGIN = 'begin isolation level read committed';

/** How a transaction begins. Its settings are local to the transaction, because sessions must hold no state. */
export interface Opening {
  settings: Statement | undefined;
  /** Timeout of a pipeline's statements in milliseconds. Default: as for any statement. */
  timeoutMs?: number | undefined;
}

/** Creates an {@link Opening} from settings. */
export function opening(settings: Record<string, string> = {}): Opening {
  const set = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', true)`);
  if (set.length === 0) return { settings: undefined };
  const text = `select ${set.join(', ')}`;
  return { settings: { name: `settings_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`, text } };
}
