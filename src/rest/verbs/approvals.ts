import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { type Caller, personOf } from '../caller.ts';
import { checkVisible, maySee } from '../scope.ts';
import type { BodiesOf } from '../verb-routes.ts';

type Approval = Awaited<ReturnType<Tasker['approvals']['get']>>;

/** The bodies of the verbs for approvals. */
export function approvalVerbs(tasker: Tasker): BodiesOf<'approvals'> {
  const { approvals } = tasker;
  return {
    async list({ limit, cursor, ...filter }, { caller }) {
      const page = await listWithin(tasker, caller, filter, { limit, cursor });
      return { ...page, approvals: page.approvals.map((one) => readable(caller, one)) };
    },
    get: async ({ task_uuid: task, step }, { caller }) => readable(caller, await approvals.get(task, step)),
    async vote({ task_uuid: task, step, decision, comment, form, ...given }, { caller }) {
      const by = personOf(caller, given.by);
      if (by === undefined) {
        throw new TaskerError('bad_request', 'by is missing; without authentication, a vote must name the voter');
      }
      // A body can name roles only if there is no credential.
      const roles = caller.subject === undefined ? given.roles : caller.roles;
      const vote = { decision, by, roles, form, ...(comment != null && { comment }) };
      return readable(caller, await approvals.vote(task, step, vote));
    },
    async reassign({ task_uuid: task, step, to, everyone }, { caller, operator: { actor: by, reason } }) {
      if (to.length > 0 === everyone) {
        throw new TaskerError('bad_request', 'pass to (a list of users and roles) or everyone: true');
      }
      return readable(caller, await approvals.reassign(task, step, { to, by, reason }));
    },
  };
}

function readable(caller: Caller, approval: Approval): Approval {
  if (caller.allows('tasks:context_read')) return approval;
  return { ...approval, votes: approval.votes.map((vote) => ({ ...vote, form: null })) };
}

/** Lists the approvals that a caller may see. */
async function listWithin(
  tasker: Tasker,
  caller: Caller,
  filter: { task?: string | undefined; namespace?: string | undefined; assignee?: string | undefined },
  page: { limit: number; cursor: string | undefined },
) {
  if (caller.namespaces === undefined) return tasker.approvals.list(filter, page);
  if (filter.task !== undefined) {
    await checkVisible(tasker, caller, filter.task);
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
