import { OpenAPIHono, z } from '@hono/zod-openapi';
import { credentials } from '../../contract/credentials.ts';
import { type MeSchema, SessionSchema } from '../../contract/schemas/keys.ts';
import { type Caller, callerOf } from '../caller.ts';
import { describeRoute } from '../route.ts';
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
const ME = describeRoute(credentials.me);

function meJson({ subject, credential, roles, permissions, namespaces }: Caller): z.infer<typeof MeSchema> {
  return {
    authenticated: credential !== undefined,
    subject: subject ?? null,
    credential: credential ?? null,
    roles: [...roles],
    permissions: permissions ? [...permissions] : null,
    namespaces: namespaces ? [...namespaces] : null,
  };
}

/** Routes for browser sessions, and for the rights of a credential. */
export function sessionRoutes(sessions: Sessions): OpenAPIHono {
  return new OpenAPIHono()
    .openapi(BEGIN, async (c) => {
      const caller = callerOf(c);
      const expiresAt = await sessions.begin(c, caller);
      return c.json({ ...meJson(caller), expires_at: expiresAt }, 201);
    })
    .openapi(END, async (c) => {
      await sessions.end(c);
      return c.json({ ended: true as const }, 200);
    })
    .openapi(ME, (c) => c.json(meJson(callerOf(c)), 200));
}
