import { endSessions, type ListedSession, listSessions } from '../../engine/credentials/web-sessions.ts';
import type { OperatorOptions } from '../../engine/operator-actions.ts';
import type { Tasker } from '../tasker.ts';

export type { ListedSession };

/** Returns the browser sessions that have not ended, newest first. `subject`: only sessions of this subject. */
export function listBrowserSessions(
  tasker: Tasker,
  options: { subject?: string | undefined },
): Promise<ListedSession[]> {
  return listSessions(tasker.engine.database, options);
}

/** Ends the session with this id, or all sessions of this subject. */
export function endBrowserSessions(
  tasker: Tasker,
  reference: string,
  options: OperatorOptions,
): Promise<ListedSession[]> {
  return endSessions(tasker.engine.database, reference, { door: tasker.door, ...options });
}
