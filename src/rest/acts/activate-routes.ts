import { OpenAPIHono, z } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkNamespace } from '../scope.ts';
import { ActivationSchema, as } from './act-schemas.ts';
import { ActBody, operatorOf, optionalBody } from './operator.ts';

const ACTIVATE = describeRoute({
  method: 'post',
  path: '/v1/templates/{namespace}/{name}/{version}/activate',
  permission: 'templates:activate',
  summary: 'Makes a version of a template the active version, which tasks without a version are created from',
  description:
    'The version is pinned: the registration of a higher version does not replace it. The version `latest` makes the highest registered version active, and ends the pin. Running tasks keep their template.',
  request: {
    params: z.object({ namespace: z.string(), name: z.string(), version: z.string() }),
    ...optionalBody(ActBody),
  },
  answer: ActivationSchema,
  errors: [404],
});

/** The route that chooses the active version of a template. */
export function activateRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid }).openapi(ACTIVATE, async (c) => {
    const { namespace, name, version } = c.req.valid('param');
    checkNamespace(callerOf(c), namespace, `template ${namespace}/${name}@${version}`);
    const operator = operatorOf(c, c.req.valid('json'));
    const activation = await tasker.activateTemplate(`${namespace}/${name}@${version}`, operator);
    return c.json(as(ActivationSchema, snakeKeys(activation)), 200);
  });
}
