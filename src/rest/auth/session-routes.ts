import { OpenAPIHono, z } from '@hono/zod-openapi';
import { SessionSchema } from '../../contract/schemas/keys.ts';
import { callerOf } from '../caller.ts';
import { describeRoute } from '../route.ts';
import { rightsOf } from '../verbs/credentials.ts';
import type { Sessions } from './sessions.ts';

const BEGIN = describeRoute({
  method: 'post',
  path: '/v1/session',
  on: 'visible',
  errors: [400],
  permission: 'authenticated',
  summary: 'Starts a browser session with the rights of the key or token, and sets its cookie',
  // Rejected without a credential that can start a session.
  takes: {},
  gives: SessionSchema,
  status: 201,
});
const END = describeRoute({
  method: 'delete',
  path: '/v1/session',
  on: 'visible',
  permission: 'authenticated',
  summary: 'Ends the session of the cookie',
  gives: z.object({ ended: z.literal(true) }),
});

/** Routes for the browser session of the caller. */
export function sessionRoutes(sessions: Sessions): OpenAPIHono {
  return new OpenAPIHono()
    .openapi(BEGIN, async (c) => {
      const caller = callerOf(c);
      const expiresAt = await sessions.begin(c, caller);
      return c.json({ ...rightsOf(caller), expires_at: expiresAt }, 201);
    })
    .openapi(END, async (c) => {
      await sessions.end(c);
      return c.json({ ended: true as const }, 200);
    });
}
