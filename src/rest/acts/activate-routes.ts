import { OpenAPIHono } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { ActivationSchema, as } from '../../contract/schemas/acts.ts';
import { templates } from '../../contract/templates.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkNamespace } from '../scope.ts';
import { operatorOf } from './operator.ts';

const ACTIVATE = describeRoute(templates.activate);

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
