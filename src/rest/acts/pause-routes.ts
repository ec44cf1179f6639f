import { OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { pauseJson } from '../../app/json/acts.ts';
import type { PauseTarget } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { namespaces } from '../../contract/namespaces.ts';
import { as, PauseResultSchema } from '../../contract/schemas/acts.ts';
import type { ActBody } from '../../contract/schemas/operator.ts';
import { templates } from '../../contract/templates.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkNamespace } from '../scope.ts';
import { operatorOf } from './operator.ts';

const PAUSE_TEMPLATE = describeRoute(templates.pause);
const RESUME_TEMPLATE = describeRoute(templates.resume);
const PAUSE_VERSION = describeRoute(templates.pauseVersion);
const RESUME_VERSION = describeRoute(templates.resumeVersion);
const PAUSE_NAMESPACE = describeRoute(namespaces.pause);
const RESUME_NAMESPACE = describeRoute(namespaces.resume);

/** Routes that pause templates and namespaces. */
export function pauseRoutes(tasker: Tasker): OpenAPIHono {
  const change = async (
    c: Context,
    verb: 'pause' | 'resume',
    { namespace, target, operator }: { namespace: string; target: PauseTarget; operator: z.infer<typeof ActBody> },
  ) => {
    checkNamespace(callerOf(c), namespace, `namespace ${namespace}`);
    return as(PauseResultSchema, pauseJson(await tasker[verb](target, operatorOf(c, operator))));
  };
  const of = ({ namespace, name, version }: { namespace: string; name: string; version?: string }) => ({
    namespace,
    target: { template: `${namespace}/${name}${version === undefined ? '' : `@${version}`}` },
  });
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(PAUSE_TEMPLATE, async (c) =>
      c.json(await change(c, 'pause', { ...of(c.req.valid('param')), operator: c.req.valid('json') }), 200),
    )
    .openapi(RESUME_TEMPLATE, async (c) =>
      c.json(await change(c, 'resume', { ...of(c.req.valid('param')), operator: c.req.valid('json') }), 200),
    )
    .openapi(PAUSE_VERSION, async (c) =>
      c.json(await change(c, 'pause', { ...of(c.req.valid('param')), operator: c.req.valid('json') }), 200),
    )
    .openapi(RESUME_VERSION, async (c) =>
      c.json(await change(c, 'resume', { ...of(c.req.valid('param')), operator: c.req.valid('json') }), 200),
    )
    .openapi(PAUSE_NAMESPACE, async (c) => {
      const { namespace } = c.req.valid('param');
      const operator = c.req.valid('json');
      return c.json(await change(c, 'pause', { namespace, target: { namespace }, operator }), 200);
    })
    .openapi(RESUME_NAMESPACE, async (c) => {
      const { namespace } = c.req.valid('param');
      const operator = c.req.valid('json');
      return c.json(await change(c, 'resume', { namespace, target: { namespace }, operator }), 200);
    });
}
