import { durationMs } from '../../app/schedules/duration.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import type { Caller } from '../caller.ts';
import { filterOf } from '../task-filter.ts';
import type { BodiesOf } from '../verb-routes.ts';

/** The bodies of the verbs for steps. */
export function stepVerbs(tasker: Tasker): BodiesOf<'steps'> {
  const shown = async ({ uuid, step }: { uuid: string; step: string }, caller: Caller) => {
    const after = await tasker.getStep(uuid, step);
    return caller.allows('tasks:context_read') ? after : { ...after, results: null };
  };
  return {
    async search({ order, limit, cursor, ...query }, { caller }) {
      const page = await tasker.listSteps(filterOf(query, caller), { order, limit, cursor });
      return { ...page, lagMs: Math.round(page.lagMs) };
    },
    async logs({ uuid, step, attempt }) {
      const logs = await tasker.getStepLogs(uuid, step);
      return { logs: logs.filter((one) => attempt === undefined || one.attempt === attempt) };
    },
    async retry(place, { caller, operator }) {
      await tasker.retryStep(place.uuid, place.step, operator);
      return shown(place, caller);
    },
    async fire(place, { caller, operator }) {
      await tasker.fireTimer(place.uuid, place.step, operator);
      return shown(place, caller);
    },
    async move({ uuid, step, until, in: span }, { operator }) {
      const moved = await tasker.moveTimer(uuid, step, timeOf(until, span), operator);
      return { taskUuid: uuid.toLowerCase(), step, until: moved };
    },
  };
}

function timeOf(until: string | undefined, span: string | undefined): string | { delayMs: number } {
  const delayMs = durationMs(span);
  if (until !== undefined && span === undefined) return until;
  if (until === undefined && delayMs !== undefined) return { delayMs };
  throw new TaskerError('bad_request', 'pass the new time as until (ISO 8601), or as in (a duration such as 2h)');
}
