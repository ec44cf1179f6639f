import type { Tasker } from '../../app/tasker.ts';
import { fillPage } from '../fill-page.ts';
import { maySee } from '../scope.ts';
import type { BodiesOf } from '../verb-routes.ts';

type Entry = Awaited<ReturnType<Tasker['audit']>>['entries'][number];

/** The body of the verb for the audit. */
export function auditVerbs(tasker: Tasker): BodiesOf<'audit'> {
  return {
    async list({ limit, cursor, fold, ...filter }, { caller }) {
      // Callers that are limited to namespaces see only entries that certainly belong to one of these namespaces.
      const visible = ({ template }: Entry) =>
        caller.namespaces === undefined || (template !== null && maySee(caller, template.split('/')[0]));
      const { items, ...cursors } = await fillPage({ limit, cursor }, visible, async (page) => {
        // The entry of a bulk action names no namespace, so it would hide the actions that such a caller may see.
        const folded = fold === true && caller.namespaces === undefined;
        const { entries, nextCursor } = await tasker.audit(filter, { ...page, fold: folded });
        return { items: entries, next_cursor: nextCursor };
      });
      return { entries: items, ...cursors };
    },
  };
}
