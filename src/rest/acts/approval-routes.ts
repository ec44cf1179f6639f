import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { approvalJson } from '../../app/json/acts.ts';
import type { Tasker } from '../../app/tasker.ts';
import { approvals } from '../../contract/approvals.ts';
import { as } from '../../contract/schemas/acts.ts';
import { ApprovalSchema } from '../../contract/schemas/approvals.ts';
import { TaskerError } from '../../errors.ts';
import { callerOf } from '../caller.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { checkVisible, maySee } from '../scope.ts';
import { operatorOf, personOf } from './operator.ts';

const LIST = describeRoute(approvals.list);
const SHOW = describeRoute(approvals.get);
const VOTE = describeRoute(approvals.vote);
const REASSIGN = describeRoute(approvals.reassign);

type Shown = Awaited<ReturnType<Tasker['approvals']['get']>>;

/** Routes for approvals. */
export function approvalRoutes(tasker: Tasker): OpenAPIHono {
  const { approvals } = tasker;
  const shown = (c: Context, approval: Shown) => {
    const readable = callerOf(c).allows('tasks:context_read');
    const votes = readable ? approval.votes : approval.votes.map((vote) => ({ ...vote, form: null }));
    return as(ApprovalSchema, approvalJson({ ...approval, votes }));
  };
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(LIST, async (c) => {
      const { limit, cursor, ...filter } = c.req.valid('query');
      const page = await listWithin(tasker, c, filter, { limit, cursor });
      const { nextCursor: next_cursor, total, totalIsExact: total_is_exact } = page;
      const found = page.approvals.map((one) => shown(c, one));
      return c.json({ approvals: found, next_cursor, total, total_is_exact }, 200);
    })
    .openapi(SHOW, async (c) => {
      const { task_uuid: task, step } = c.req.valid('param');
      await checkVisible(tasker, callerOf(c), task);
      return c.json(shown(c, await approvals.get(task, step)), 200);
    })
    .openapi(VOTE, async (c) => {
      const { task_uuid: task, step } = c.req.valid('param');
      const { decision, comment, form, ...given } = c.req.valid('json');
      await checkVisible(tasker, callerOf(c), task);
      const by = personOf(c, given.by);
      if (by === undefined) {
        throw new TaskerError('bad_request', 'by is missing; without authentication, a vote must name the voter');
      }
      const roles = rolesOf(c, given.roles);
      const vote = { decision, by, roles, form, ...(comment != null && { comment }) };
      return c.json(shown(c, await approvals.vote(task, step, vote)), 200);
    })
    .openapi(REASSIGN, async (c) => {
      const { task_uuid: task, step } = c.req.valid('param');
      const { to, everyone, ...operator } = c.req.valid('json');
      if (to.length > 0 === everyone) {
        throw new TaskerError('bad_request', 'pass to (a list of users and roles) or everyone: true');
      }
      await checkVisible(tasker, callerOf(c), task);
      const { actor: by, reason } = operatorOf(c, operator);
      return c.json(shown(c, await approvals.reassign(task, step, { to, by, reason })), 200);
    });
}

/** The roles of a voter: the roles of the credential. A body can name roles only if there is no credential. */
function rolesOf(c: Context, given: readonly string[] | undefined): readonly string[] | undefined {
  const caller = callerOf(c) as { subject: string | undefined; roles?: readonly string[] };
  return caller.subject === undefined ? given : caller.roles;
}

/** Lists the approvals that a caller may see. */
async function listWithin(
  tasker: Tasker,
  c: Context,
  filter: { task?: string | undefined; namespace?: string | undefined; assignee?: string | undefined },
  page: { limit: number; cursor: string | undefined },
) {
  const caller = callerOf(c);
  if (caller.namespaces === undefined) return tasker.approvals.list(filter, page);
  if (filter.task !== undefined) {
    await checkVisible(tasker, callerOf(c), filter.task);
    return tasker.approvals.list(filter, page);
  }
  const namespace = filter.namespace ?? (caller.namespaces.length === 1 ? caller.namespaces[0] : undefined);
  if (namespace === undefined) {
    throw new TaskerError(
      'bad_request',
      `namespace is missing; this credential is for ${caller.namespaces.join(', ')}, so name one of them`,
    );
  }
  if (!maySee(caller, namespace)) return { approvals: [], nextCursor: null, total: 0, totalIsExact: true };
  return tasker.approvals.list({ ...filter, namespace }, page);
}
