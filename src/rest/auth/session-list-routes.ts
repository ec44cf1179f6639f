import { OpenAPIHono, z } from '@hono/zod-openapi';
import { endBrowserSessions, listBrowserSessions } from '../../app/credentials/web-sessions.ts';
import { browserSessionJson } from '../../app/json/credentials.ts';
import type { Tasker } from '../../app/tasker.ts';
import { ActBody, operatorOf, optionalBody } from '../acts/operator.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { ListedSessionSchema } from '../schemas/key-schemas.ts';

const text = z.string().min(1).max(500);
const SessionsSchema = z.object({ sessions: z.array(ListedSessionSchema) }).openapi('BrowserSessionList');

const LIST = describeRoute({
  method: 'get',
  path: '/v1/auth/sessions',
  permission: 'auth:manage',
  summary: 'Lists the browser sessions that have not ended, newest first',
  request: { query: z.object({ subject: text.optional() }) },
  answer: SessionsSchema,
});
const END = describeRoute({
  method: 'delete',
  path: '/v1/auth/sessions/{session}',
  permission: 'auth:manage',
  summary: 'Ends the session with this id, or all sessions of this subject',
  description: 'Servers may accept a session for two more seconds.',
  request: { params: z.object({ session: text }), ...optionalBody(ActBody) },
  answer: SessionsSchema,
  errors: [404],
});

/** Routes for the sessions of all browsers. */
export function sessionListRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(LIST, async (c) => {
      const sessions = await listBrowserSessions(tasker, c.req.valid('query'));
      return c.json({ sessions: sessions.map(browserSessionJson) }, 200);
    })
    .openapi(END, async (c) => {
      const { session } = c.req.valid('param');
      const ended = await endBrowserSessions(tasker, session, operatorOf(c, c.req.valid('json')));
      return c.json({ sessions: ended.map(browserSessionJson) }, 200);
    });
}
