import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { pauseJson } from '../../app/json/acts.ts';
import type { PauseTarget } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkNamespace } from '../scope.ts';
import { as, PauseResultSchema } from './act-schemas.ts';
import { ActBody, operatorOf, optionalBody } from './operator.ts';

const common = { method: 'post', permission: 'tasks:update', answer: PauseResultSchema, errors: [404] } as const;
const body = optionalBody(ActBody);
const OfTemplate = z.object({ namespace: z.string(), name: z.string() });
const OfVersion = OfTemplate.extend({ version: z.string() });
const OfNamespace = z.object({ namespace: z.string() });
const PAUSES = 'running steps finish, and no other step starts until the pause ends';

const PAUSE_TEMPLATE = describeRoute({
  ...common,
  path: '/v1/templates/{namespace}/{name}/pause',
  summary: `Pauses all versions of a template: ${PAUSES}`,
  request: { params: OfTemplate, ...body },
});
const RESUME_TEMPLATE = describeRoute({
  ...common,
  path: '/v1/templates/{namespace}/{name}/resume',
  summary: 'Ends the pause of a template',
  request: { params: OfTemplate, ...body },
});
const PAUSE_VERSION = describeRoute({
  ...common,
  path: '/v1/templates/{namespace}/{name}/{version}/pause',
  operationId: 'postTemplateVersionPause',
  summary: `Pauses a template version: ${PAUSES}`,
  request: { params: OfVersion, ...body },
});
const RESUME_VERSION = describeRoute({
  ...common,
  path: '/v1/templates/{namespace}/{name}/{version}/resume',
  operationId: 'postTemplateVersionResume',
  summary: 'Ends the pause of a template version',
  request: { params: OfVersion, ...body },
});
const PAUSE_NAMESPACE = describeRoute({
  ...common,
  path: '/v1/namespaces/{namespace}/pause',
  summary: `Pauses a namespace: ${PAUSES}`,
  request: { params: OfNamespace, ...body },
});
const RESUME_NAMESPACE = describeRoute({
  ...common,
  path: '/v1/namespaces/{namespace}/resume',
  summary: 'Ends the pause of a namespace',
  request: { params: OfNamespace, ...body },
});

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
