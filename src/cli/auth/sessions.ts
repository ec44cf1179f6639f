import type { ListedSession } from '../../app/credentials/web-sessions.ts';
import { browserSessionJson } from '../../app/json/credentials.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { browserSessions } from '../remote/browser-sessions.ts';
import { note, print, printJson } from '../show/output.ts';
import { table } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';

const COLUMNS = ['session', 'subject', 'roles', 'namespaces', 'key', 'began', 'expires'];

/** `tasker auth session list`: lists browser sessions. */
export async function sessionList(options: GlobalOptions & { subject?: string }): Promise<void> {
  const { subject } = options;
  await withTasker(options, {}, async (tasker) => {
    const sessions = await browserSessions(tasker).list({ ...(subject !== undefined && { subject }) });
    if (options.json) return printJson({ sessions: sessions.map(browserSessionJson) });
    if (sessions.length === 0) return note(`no sessions${subject === undefined ? '' : ` of ${subject}`}`);
    print(table(COLUMNS, sessions.map(rowOf)));
  });
}

/** `tasker auth session end`: ends sessions. */
export async function sessionEnd(session: string, options: GlobalOptions & OperatorFlags): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const ended = await browserSessions(tasker).end(session, operatorFrom(options));
    if (options.json) return printJson({ sessions: ended.map(browserSessionJson) });
    for (const { id, subject } of ended) print(`ended session ${id} of ${subject}`);
  });
}

function rowOf(session: ListedSession): string[] {
  const { id, subject, roles, namespaces, keyPrefix, createdAt, expiresAt } = session;
  const time = (text: string) => `${text.slice(0, 19)}Z`;
  return [
    id,
    subject,
    roles.join(' '),
    namespaces?.join(' ') ?? 'all',
    keyPrefix ?? '',
    time(createdAt),
    time(expiresAt),
  ];
}
