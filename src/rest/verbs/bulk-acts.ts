import type { Tasker } from '../../app/tasker.ts';
import { PERMISSIONS } from '../../contract/bulk-acts.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Caller } from '../caller.ts';
import { fillPage } from '../fill-page.ts';
import { cursorAt, positionOf } from '../positions.ts';
import { maySee } from '../scope.ts';
import type { BodiesOf } from '../verb-routes.ts';

type BulkSummary = Awaited<ReturnType<Tasker['bulk']['list']>>[number];

/** The bodies of the verbs for bulk actions that have begun. */
export function bulkActVerbs(tasker: Tasker, logger: Logger): BodiesOf<'bulkActs'> {
  const { bulk } = tasker;
  return {
    async list(given, { caller }) {
      const visible = (act: BulkSummary) => isVisible(act, caller);
      const { items, ...cursors } = await fillPage(given, visible, async ({ limit, cursor }) => {
        const place = cursor === undefined ? {} : { before: positionOf(cursor) };
        const found = await bulk.list({ limit, ...place });
        const last = found.at(-1);
        return { items: found, next_cursor: found.length === limit && last && last.id > 1 ? cursorAt(last.id) : null };
      });
      return { bulkActs: items, ...cursors };
    },
    async get({ id }, { caller }) {
      const report = await bulk.show(id);
      if (isVisible(report, caller)) return report;
      throw new TaskerError('bulk_not_found', `bulk action ${id} not found; GET /v1/bulk-acts lists them`);
    },
    async stop({ id }, { caller, operator }) {
      await checkStored(tasker, caller, id);
      return { id, stopped: await bulk.stop(id, operator) };
    },
    async resume({ id }, { caller, operator }) {
      await checkStored(tasker, caller, id);
      // A repeated request must not take the action over from this process, because the first request would fail.
      if (bulk.runsHere(id)) return bulk.show(id);
      return begin(tasker, logger, (signal) => bulk.resume(id, { ...operator, signal }));
    },
  };
}

/** Begins an action that this process carries out, and returns its progress. */
export async function begin(tasker: Tasker, logger: Logger, start: Parameters<Tasker['bulk']['runAlone']>[0]) {
  const id = await tasker.bulk.runAlone(start, (error) => {
    if (error !== undefined) logger.warn({ error: messageOf(error) }, 'bulk action stopped');
  });
  return tasker.bulk.show(id);
}

function isVisible({ filter, actor }: Pick<BulkSummary, 'filter' | 'actor'>, caller: Caller): boolean {
  // A caller may follow its own actions, because their items were checked.
  if (caller.namespaces === undefined || actor === caller.subject) return true;
  const named = filter?.namespace === undefined ? [] : [filter.namespace].flat();
  return named.length > 0 && named.every((namespace) => maySee(caller, namespace));
}

/**
 * A credential that is limited to namespaces may stop and resume its own actions, and actions whose filter names only
 * its namespaces.
 */
async function checkStored(tasker: Tasker, caller: Caller, id: number): Promise<void> {
  if (!caller.allows('tasks:update')) throw new TaskerError('forbidden', 'this needs the permission tasks:update');
  const { action, filter, actor } = await tasker.bulk.show(id);
  if (!caller.allows(PERMISSIONS[action])) {
    throw new TaskerError('forbidden', `${action} needs the permission ${PERMISSIONS[action]}`);
  }
  if (!isVisible({ filter, actor }, caller)) throw new TaskerError('bulk_not_found', `bulk action ${id} not found`);
}
