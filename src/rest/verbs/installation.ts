import type { Pause } from '../../app/operator-types.ts';
import { lastPruneOf } from '../../app/overview/status.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import { fillPage } from '../fill-page.ts';
import { foreignCursor, pageAfter } from '../positions.ts';
import { checkSeesAll, maySee, searchedNamespaces } from '../scope.ts';
import { filterOf } from '../task-filter.ts';
import type { BodiesOf } from '../verb-routes.ts';

/** The period in which ended tasks are counted. The command line has the same default. */
const RECENT = '24h';
const TIMES = [
  'created_after',
  'created_before',
  'ended_after',
  'ended_before',
  'updated_after',
  'updated_before',
  'key',
  'correlation_id',
  'parent_correlation_id',
  'parent_task',
  'root_task',
] as const;

const SCOPES: ReadonlySet<string> = new Set<Pause['scope']>(['task', 'template', 'namespace']);

/** The bodies of the verbs for the installation as a whole. */
export function installationVerbs(tasker: Tasker): BodiesOf<'installation'> {
  return {
    status(_, { caller }) {
      checkSeesAll(caller, 'GET /v1/status', 'GET /v1/summary and GET /v1/queues');
      return tasker.status();
    },
    async summary({ ended_since: given, limit: groups, ...query }, { caller }) {
      const recent = TIMES.every((key) => query[key] === undefined) ? RECENT : undefined;
      const filter = filterOf(query, caller);
      return { filter, ...(await tasker.summarizeTasks(filter, { groups, endedSince: given ?? recent })) };
    },
    stats({ template_version: templateVersion, namespace, ...options }, { caller }) {
      return tasker.analytics({ ...options, templateVersion, namespace: onlyNamespace(caller, namespace) });
    },
    async pauses(page, { caller }) {
      const visible = (pause: Pause) => maySee(caller, namespaceOf(pause));
      const { items, ...cursors } = await fillPage(page, caller.namespaces ? visible : () => true, (part) =>
        pageAfter(
          part,
          (limit, place) => tasker.pauses({ limit, after: place && pausePlaceOf(place) }),
          ({ scope, target, pausedAt }) => [scope, target, pausedAt],
        ),
      );
      return { pauses: items, ...cursors };
    },
    async retention() {
      const { policy, eventsMs, auditMs } = tasker.retention;
      return {
        policy: policy ? { ...policy, archive: policy.archive ?? null } : null,
        eventsRetentionMs: eventsMs,
        auditRetentionMs: auditMs,
        lastPrune: await lastPruneOf(tasker.engine),
      };
    },
  };
}

/** A pause of a task does not name the task's namespace. */
function namespaceOf({ scope, target }: Pause): string | undefined {
  return scope === 'task' ? undefined : target.split('/')[0];
}

/** @throws TaskerError `bad_request` if the parts are not those of a pause */
function pausePlaceOf([scope = '', target = '', pausedAt = '']: string[]) {
  if (!SCOPES.has(scope) || Number.isNaN(Date.parse(pausedAt))) throw foreignCursor();
  return { scope: scope as Pause['scope'], target, pausedAt };
}

/** Returns the namespace of statistics, which cover one or all. @throws TaskerError `bad_request`, `forbidden` */
function onlyNamespace(caller: Caller, asked: string | undefined): string | undefined {
  const found = searchedNamespaces(caller, asked);
  if (found === undefined || typeof found === 'string') return found;
  if (found.length === 1) return found[0];
  const names = caller.namespaces?.join(', ') ?? '';
  if (asked === undefined) {
    throw new TaskerError('bad_request', `namespace is missing; this credential may see ${names}: pass one of them`);
  }
  throw new TaskerError('forbidden', `this credential may not see namespace ${asked}, only ${names}`);
}
