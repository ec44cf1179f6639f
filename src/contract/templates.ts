import { z } from 'zod';
import { ActivationSchema, named, PauseResultSchema } from './schemas/action-results.ts';
import { FORMAT, MERMAID } from './schemas/mermaid.ts';
import { NAMES } from './schemas/names.ts';
import { ActBody } from './schemas/operator.ts';
import { TemplatePath, VersionPath } from './schemas/paths.ts';
import { Conditions } from './schemas/task-graph.ts';
import { about, change, ProblemSchema } from './schemas/template-changes.ts';
import { TemplateContentSchema, TemplateDetailSchema, TemplateListSchema } from './schemas/templates.ts';
import { USER_JSON, userJson } from './schemas/user-json.ts';
import { verb } from './verb.ts';

/** The content type of templates as text. */
export const YAML = 'application/yaml';

/** A template: as YAML text, as JSON, or as `{ "source": "…" }` with the YAML in JSON. */
const source = {
  bodyByHand: {
    [YAML]: z.string(),
    'application/json': z
      .object({ source: z.string().optional(), name: named().optional() })
      .loose()
      .register(USER_JSON, { kind: 'public' }),
  },
} as const;

/** The common parts of the verbs that pause and resume. */
export const PAUSING = { method: 'post', permission: 'tasks:update', gives: PauseResultSchema, errors: [404] } as const;

export const PAUSES = 'running steps finish, and no other step starts until the pause ends';

/** The verbs for templates. */
export const templates = {
  list: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/templates',
    on: 'visible',
    operationId: 'listTemplates',
    permission: 'templates:read',
    summary: 'Lists the registered templates',
    takes: { query: z.object({ namespace: z.string().optional() }) },
    gives: TemplateListSchema,
    mcp: { name: 'template_list_remote' },
  }),
  get: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/templates/{namespace}/{name}/{version}',
    on: 'namespace',
    permission: 'templates:read',
    summary: 'Returns the template that new tasks of this version use',
    takes: { path: VersionPath },
    etag: true,
    gives: TemplateDetailSchema,
    errors: [404],
  }),
  source: verb({
    method: 'get',
    path: '/v1/templates/{namespace}/{name}/{version}/source',
    on: 'namespace',
    permission: 'templates:read',
    summary: 'Returns a template as YAML',
    description:
      'As it was registered, with the overrides of the environment applied. Comments and the order of keys are not stored. As JSON with `?format=json` or `Accept: application/json`.',
    takes: { path: VersionPath, query: z.object({ format: z.enum(['yaml', 'json']).optional() }) },
    gives: z
      .object({ ...VersionPath.shape, digest: z.string(), template: TemplateContentSchema })
      .register(NAMES, { id: 'TemplateSource' }),
    otherForms: { [YAML]: 'The template, in the form of a template file.' },
    errors: [404],
    etag: true,
    mcp: {
      name: 'template_inspect_remote',
      description: 'Returns a whole registered template: steps, schemas, retries.',
      fixed: { format: 'json' },
    },
  }),
  graph: verb({
    method: 'get',
    path: '/v1/templates/{namespace}/{name}/{version}/graph',
    on: 'namespace',
    permission: 'templates:read',
    summary: 'Returns the steps of a template and their dependencies',
    description: 'As a Mermaid flowchart with `?format=mermaid` or `Accept: text/vnd.mermaid`.',
    takes: { path: VersionPath, query: FORMAT },
    gives: z
      .object({
        ...VersionPath.shape,
        nodes: z.array(z.object({ name: z.string(), type: z.string(), callable: z.string(), ...Conditions })),
        edges: z.array(z.object({ from: z.string(), to: z.string() })),
      })
      .register(NAMES, { id: 'TemplateGraph' }),
    otherForms: { [MERMAID]: 'A Mermaid flowchart.' },
    errors: [404],
    etag: true,
  }),
  diff: verb({
    method: 'get',
    path: '/v1/templates/{namespace}/{name}/{version}/diff',
    on: 'namespace',
    permission: 'templates:read',
    summary: 'Returns the changes from an earlier version of a template',
    takes: {
      path: VersionPath,
      query: z.object({ with: z.string().min(1).meta({ description: 'The earlier version.', example: '1.0.0' }) }),
    },
    gives: z
      .object({
        namespace: z.string(),
        name: z.string(),
        from_version: z.string(),
        to_version: z.string(),
        changes: z.array(
          z.object({
            path: z
              .string()
              .meta({ description: 'Steps are found by their names.', example: 'steps.charge.retry.max_attempts' }),
            change: z.enum(['added', 'removed', 'changed']),
            from: userJson('public'),
            to: userJson('public'),
          }),
        ),
      })
      .register(NAMES, { id: 'TemplateDiff' }),
    errors: [404],
    etag: true,
  }),
  register: verb({
    method: 'post',
    path: '/v1/templates',
    on: 'visible',
    permission: 'templates:write',
    summary: 'Registers a template; new tasks use it immediately, and running tasks keep theirs',
    takes: source,
    gives: z
      .object({ ...about, change, problems: z.array(ProblemSchema) })
      .register(NAMES, { id: 'RegisteredTemplate' }),
    status: 201,
    errors: [404],
  }),
  validate: verb({
    method: 'post',
    path: '/v1/templates/validate',
    on: 'visible',
    permission: 'templates:validate',
    summary: 'Checks a template, and compares it with the registered one',
    takes: source,
    gives: z
      .object({
        valid: z.boolean(),
        problems: z.array(ProblemSchema),
        template: z
          .object({ ...about, change })
          .nullable()
          .meta({ description: 'Null if the template has errors.' }),
      })
      .register(NAMES, { id: 'ValidatedTemplate' }),
    errors: [404],
  }),
  activate: verb({
    method: 'post',
    path: '/v1/templates/{namespace}/{name}/{version}/activate',
    on: 'namespace',
    permission: 'templates:activate',
    summary: 'Makes a version of a template the active version, which tasks without a version are created from',
    description:
      'The version is pinned: the registration of a higher version does not replace it. The version `latest` makes the highest registered version active, and ends the pin. Running tasks keep their template.',
    takes: {
      path: z.object({ namespace: z.string(), name: z.string(), version: z.string() }),
      optionalBody: ActBody,
    },
    gives: ActivationSchema,
    errors: [404],
    mcp: {
      name: 'template_activate',
      description:
        'Makes a version the active one, which tasks without a version are created from. latest is the highest version. Running tasks keep theirs.',
      does: 'make {namespace}/{name}@{version} the active version',
      preview: '/v1/templates?namespace={namespace}',
    },
  }),
  pause: verb({
    ...PAUSING,
    path: '/v1/templates/{namespace}/{name}/pause',
    on: 'namespace',
    summary: `Pauses all versions of a template: ${PAUSES}`,
    takes: { path: TemplatePath, optionalBody: ActBody },
    mcp: {
      name: 'template_pause',
      description: 'Pauses all versions of a template: no other step starts until the pause ends.',
      does: 'pause all versions of {namespace}/{name}',
      preview: '/v1/templates?namespace={namespace}',
    },
  }),
  resume: verb({
    ...PAUSING,
    path: '/v1/templates/{namespace}/{name}/resume',
    on: 'namespace',
    summary: 'Ends the pause of a template',
    takes: { path: TemplatePath, optionalBody: ActBody },
    mcp: {
      name: 'template_resume',
      does: 'end the pause of {namespace}/{name}',
      preview: '/v1/templates?namespace={namespace}',
    },
  }),
  pauseVersion: verb({
    ...PAUSING,
    path: '/v1/templates/{namespace}/{name}/{version}/pause',
    on: 'namespace',
    operationId: 'postTemplateVersionPause',
    summary: `Pauses a template version: ${PAUSES}`,
    takes: { path: VersionPath, optionalBody: ActBody },
  }),
  resumeVersion: verb({
    ...PAUSING,
    path: '/v1/templates/{namespace}/{name}/{version}/resume',
    on: 'namespace',
    operationId: 'postTemplateVersionResume',
    summary: 'Ends the pause of a template version',
    takes: { path: VersionPath, optionalBody: ActBody },
  }),
};
