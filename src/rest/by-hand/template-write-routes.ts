import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Tasker } from '../../app/tasker.ts';
import { templates } from '../../contract/templates.ts';
import { isTaskerError, TaskerError } from '../../errors.ts';
import { formatProblem, parseTemplate } from '../../template/parse-template.ts';
import { digestOf } from '../../template/template-digest.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkNamespace } from '../scope.ts';

const REGISTER = describeRoute(templates.register);
const VALIDATE = describeRoute(templates.validate);

const LARGEST = 1_048_576;

/** Options of {@link templateWriteRoutes}. */
export interface TemplateWriteOptions {
  /** The environment whose overrides of a template are applied. */
  environment: string;
}

/** Routes that register and check templates. */
export function templateWriteRoutes(tasker: Tasker, { environment }: TemplateWriteOptions): OpenAPIHono {
  const read = async (c: Context) => parseTemplate(await sourceOf(c), { environment });
  const compared = async (template: NonNullable<ReturnType<typeof parseTemplate>['template']>) => {
    const { namespace, name, version } = template;
    const previous = await digestInUse(tasker, { namespace, name, version });
    const digest = digestOf(template);
    const changed = previous === null ? 'new' : previous === digest ? 'unchanged' : 'changed';
    return { namespace, name, version, digest, previous_digest: previous, change: changed } as const;
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(REGISTER, async (c) => {
      const { template, problems } = await read(c);
      if (!template) {
        const errors = problems.filter(({ severity }) => severity === 'error');
        const text = errors.slice(0, 20).map(formatProblem).join('\n');
        throw new TaskerError('template_invalid', text, { details: { problems } });
      }
      checkNamespace(callerOf(c), template.namespace, `namespace ${template.namespace}`);
      const outcome = await compared(template);
      await tasker.registerHttpTemplate(template);
      return c.json({ ...outcome, problems }, 201);
    })
    .openapi(VALIDATE, async (c) => {
      const { template, problems } = await read(c);
      if (template) checkNamespace(callerOf(c), template.namespace, `namespace ${template.namespace}`);
      return c.json({ valid: template !== null, problems, template: template && (await compared(template)) }, 200);
    });
}

/** Returns the text of a template in a request. @throws TaskerError `bad_request` */
async function sourceOf(c: Context): Promise<string> {
  const text = await c.req.text();
  if (Buffer.byteLength(text) > LARGEST) {
    throw new TaskerError(
      'bad_request',
      `a template may have at most ${LARGEST} bytes; split it into several templates`,
    );
  }
  if (!/^application\/([\w.+-]*\+)?json\b/i.test(c.req.header('content-type') ?? '')) return text;
  const given = c.req.valid('json' as never) as { source?: unknown };
  return typeof given.source === 'string' ? given.source : text;
}

async function digestInUse(
  tasker: Tasker,
  { namespace, name, version }: { namespace: string; name: string; version: string },
): Promise<string | null> {
  try {
    return (await tasker.engine.templates.newest(namespace, name, version)).digest;
  } catch (error) {
    if (isTaskerError(error) && error.code === 'template_not_found') return null;
    throw error;
  }
}
