import { endBrowserSessions, type ListedSession, listBrowserSessions } from '../../app/credentials/web-sessions.ts';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from './call.ts';
import { clientOf } from './remote-tasker.ts';
import type { actOf } from './requests.ts';

/** The verbs for browser sessions, of a database or of a server. */
export function browserSessions(tasker: Tasker) {
  const client = clientOf(tasker);
  type Operator = Parameters<typeof actOf>[0];
  if (!client) {
    return {
      list: (options: { subject?: string }) => listBrowserSessions(tasker, options),
      end: (session: string, by: Operator) => endBrowserSessions(tasker, session, by ?? {}),
    };
  }
  const call = callerOf(client);
  type Sessions = { sessions: ListedSession[] };
  return {
    list: async (options: { subject?: string }) => (await call<Sessions>('credentials.sessions', options)).sessions,
    end: async (session: string, by: Operator) =>
      (await call<Sessions>('credentials.endSessions', session, by)).sessions,
  };
}
