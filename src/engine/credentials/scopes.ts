import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { isUuid } from '../../model/ids.ts';
import { isStorableText } from '../../model/json.ts';
import { namespaceOf, type ScopedThing } from '../../store/credentials/scopes.ts';

export type { ScopedThing };

/** Returns the namespace of a task, a dead letter or a schedule. Undefined if it does not exist. */
export async function scopeOf(database: Database, thing: ScopedThing, key: string): Promise<string | undefined> {
  if (thing === 'schedule' ? !isStorableText(key) : !isUuid(key)) return undefined;
  return namespaceOf(database, thing, key);
}

const MISSING = {
  task: (key: string) => new TaskerError('task_not_found', `task ${key} not found`),
  dead_letter: (key: string) => new TaskerError('dead_letter_not_found', `dead letter ${key} not found`),
  schedule: (key: string) => new TaskerError('schedule_not_found', `schedule ${key} not found`),
} as const;

/** Returns the error for something that does not exist, or that the caller may not see. */
export function notThere(thing: ScopedThing, key: string): TaskerError {
  return MISSING[thing](key);
}
