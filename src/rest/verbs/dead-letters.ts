import type { DeadLetterChange } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { checkVisible } from '../scope.ts';
import type { BodiesOf, Sender } from '../verb-routes.ts';

/** The bodies of the verbs for dead letters. */
export function deadLetterVerbs(tasker: Tasker): BodiesOf<'deadLetters'> {
  const { deadLetters } = tasker;
  const change = async (id: string, wanted: DeadLetterChange, { operator }: Sender) => ({
    changed: await deadLetters.update(id, wanted, operator),
  });
  return {
    search({ status, namespace, name, task, assignee, unassigned, sort, limit, cursor, ...given }, { caller }) {
      const conditions = {
        status,
        namespace,
        name,
        task,
        assignee,
        unassigned,
        templateVersion: given.template_version,
        dlqReason: given.dlq_reason,
        addedAfter: given.added_after,
        addedBefore: given.added_before,
        namespaces: caller.namespaces,
      };
      const filter = Object.entries(conditions).filter(([, value]) => value !== undefined);
      return deadLetters.list(Object.fromEntries(filter), { sort, limit, cursor });
    },
    async add({ task_uuid: task, assignee, priority, metadata }, { caller, operator }) {
      await checkVisible(tasker, caller, task);
      return deadLetters.add(task, { ...operator, assignee, priority, metadata });
    },
    assign({ dlq_entry_uuid: id, to, priority }, sender) {
      if (to === undefined && priority === undefined) {
        throw new TaskerError('bad_request', 'pass to (a name or null) or priority');
      }
      const wanted = { ...(to !== undefined && { assignee: to }), ...(priority !== undefined && { priority }) };
      return change(id, wanted, sender);
    },
    note: ({ dlq_entry_uuid: id, note }, sender) => change(id, { note }, sender),
    resolve: ({ dlq_entry_uuid: id, status = 'manually_resolved', notes }, sender) =>
      change(id, { status, ...(notes !== undefined && { resolutionNotes: notes }) }, sender),
  };
}
