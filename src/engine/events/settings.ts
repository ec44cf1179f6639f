import { opening } from '../../db/opening.ts';
import { PINNED_PLANS } from '../../store/planner.ts';

/** Limits of one read: the number of ids, and the total bytes of payloads and execution results. */
export const EVENT_LIMITS = { scan: 2_000, bytes: 8 * 1024 * 1024 } as const;

const BOUNDS = { lock_timeout: '30s', idle_in_transaction_session_timeout: '30s' };

/** The server needs limits too, because it continues to run the statement of a client that has timed out. */
export const SETTINGS = opening({ ...PINNED_PLANS, ...BOUNDS, statement_timeout: '60s' });

/**
 * Settings for writes that are repeated if a crash of the server loses them. After a crash, an event without a position
 * gets one again, and a part that no process holds is taken again. A group's cursor is durable, and so is everything
 * that was written before it.
 */
export const RELAXED_COMMIT = opening({
  ...PINNED_PLANS,
  ...BOUNDS,
  statement_timeout: '60s',
  synchronous_commit: 'off',
});

/** Settings for actions of operators and for cleanup, which may change many rows. */
export const LONG_RUNNING = {
  ...opening({ ...PINNED_PLANS, ...BOUNDS, statement_timeout: '10min' }),
  timeoutMs: 600_000,
};

/** Timeout of a search in seconds. Expires before the client closes its connection. */
export const SEARCH_S = 30;

/** Settings for searches. Each call is planned for its values, because most filters are optional. */
export const SEARCHING = opening({
  enable_seqscan: 'off',
  jit: 'off',
  plan_cache_mode: 'force_custom_plan',
  statement_timeout: `${SEARCH_S}s`,
});
