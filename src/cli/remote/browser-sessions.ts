import { endBrowserSessions, type ListedSession, listBrowserSessions } from '../../app/credentials/web-sessions.ts';
import type { Tasker } from '../../app/tasker.ts';
import { camelKeys } from './camel-keys.ts';
import { clientOf } from './remote-tasker.ts';
import { actOf } from './requests.ts';

/** The verbs for browser sessions, of a database or of a server. */
export function browserSessions(tasker: Tasker) {
  const credentials = clientOf(tasker)?.credentials;
  type Operator = Parameters<typeof actOf>[0];
  if (!credentials) {
    return {
      list: (options: { subject?: string }) => listBrowserSessions(tasker, options),
      end: (session: string, by: Operator) => endBrowserSessions(tasker, session, by ?? {}),
    };
  }
  return {
    list: async (options: { subject?: string }) =>
      camelKeys<ListedSession[]>((await credentials.sessions(options)).sessions),
    end: async (session: string, by: Operator) =>
      camelKeys<ListedSession[]>((await credentials.endSessions(session, actOf(by))).sessions),
  };
}
