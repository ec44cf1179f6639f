import { OpenAPIHono } from '@hono/zod-openapi';
import { endBrowserSessions, listBrowserSessions } from '../../app/credentials/web-sessions.ts';
import { browserSessionJson } from '../../app/json/credentials.ts';
import type { Tasker } from '../../app/tasker.ts';
import { credentials } from '../../contract/credentials.ts';
import { operatorOf } from '../acts/operator.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';

const LIST = describeRoute(credentials.sessions);
const END = describeRoute(credentials.endSessions);

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
