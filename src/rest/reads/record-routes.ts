import { OpenAPIHono } from '@hono/zod-openapi';
import { snakeKeys } from '../../app/json/views.ts';
import type { Tasker } from '../../app/tasker.ts';
import { audit } from '../../contract/audit.ts';
import { bulkActs } from '../../contract/bulk-acts.ts';
import { TaskerError } from '../../errors.ts';
import { type Caller, callerOf } from '../caller.ts';
import { fillPage } from '../fill-page.ts';
import { cursorAt, positionOf } from '../positions.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { maySee } from '../scope.ts';

type BulkSummary = Awaited<ReturnType<Tasker['bulk']['list']>>[number];

const AUDIT = describeRoute(audit.list);
const BULKS = describeRoute(bulkActs.list);
const BULK = describeRoute(bulkActs.get);

/** Routes for the audit and for bulk actions. */
export function recordRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(AUDIT, async (c) => {
      const { limit, cursor, fold, ...filter } = c.req.valid('query');
      const caller = callerOf(c);
      type Entry = Awaited<ReturnType<Tasker['audit']>>['entries'][number];
      const visible = ({ template }: Entry) => isOfCaller(template?.split('/')[0], caller);
      const { items, ...cursors } = await fillPage({ limit, cursor }, visible, async (page) => {
        // The entry of a bulk action names no namespace, so it would hide the actions that such a caller may see.
        const folded = fold === true && caller.namespaces === undefined;
        const { entries, nextCursor } = await tasker.audit(filter, { ...page, fold: folded });
        return { items: entries, next_cursor: nextCursor };
      });
      return c.json({ entries: items.map((entry) => snakeKeys(entry)), ...cursors }, 200);
    })
    .openapi(BULKS, async (c) => {
      const caller = callerOf(c);
      const visible = (act: BulkSummary) => isVisible(act, caller);
      const { items, ...cursors } = await fillPage(c.req.valid('query'), visible, async ({ limit, cursor }) => {
        const place = cursor === undefined ? {} : { before: positionOf(cursor) };
        const found = await tasker.bulk.list({ limit, ...place });
        const last = found.at(-1);
        return { items: found, next_cursor: found.length === limit && last && last.id > 1 ? cursorAt(last.id) : null };
      });
      return c.json({ bulk_acts: items.map(bulkJson), ...cursors }, 200);
    })
    .openapi(BULK, async (c) => {
      const { id } = c.req.valid('param');
      const { paused, skipped, failed, ...report } = await tasker.bulk.show(id);
      if (!isVisible(report, callerOf(c))) {
        throw new TaskerError('bulk_not_found', `bulk action ${id} not found; GET /v1/bulk-acts lists them`);
      }
      const more = {
        paused,
        skipped: skipped.map((item) => snakeKeys(item)),
        failed: failed.map((item) => snakeKeys(item)),
      };
      return c.json({ ...bulkJson(report), ...more }, 200);
    });
}

/** Returns a bulk action as JSON. Its filter keeps the names of the library. */
function bulkJson(act: BulkSummary) {
  return { ...snakeKeys(act), filter: act.filter as Record<string, unknown> | null };
}

/** Callers that are limited to namespaces see only entries that certainly belong to one of these namespaces. */
function isOfCaller(namespace: string | undefined, caller: Caller): boolean {
  return caller.namespaces === undefined || (namespace !== undefined && maySee(caller, namespace));
}

function isVisible({ filter, actor }: Pick<BulkSummary, 'filter' | 'actor'>, caller: Caller): boolean {
  // A caller may follow its own actions, because their items were checked.
  if (caller.namespaces === undefined || actor === caller.subject) return true;
  const named = filter?.namespace === undefined ? [] : [filter.namespace].flat();
  return named.length > 0 && named.every((namespace) => maySee(caller, namespace));
}
