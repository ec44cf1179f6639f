import { opening } from '../../db/opening.ts';
import { PINNED_PLANS } from '../../store/planner.ts';

/** What one answer may bring: ids that are looked at; payloads and execution results together. */
export const EVENT_LIMITS = { scan: 2_000, bytes: 8 * 1024 * 1024 } as const;

const BOUNDS = { lock_timeout: '30s', idle_in_transaction_session_timeout: '30s' };

/** Bounds on the server too: a client that gives up leaves its statement waiting there. */
export const SETTINGS = opening({ ...PINNED_PLANS, ...BOUNDS, statement_timeout: '60s' });

/**
 * What a server forgets of these when it crashes is done again: an event without a place gets one, and what nobody holds is
 * taken again. Whatever a group's position says is durable, and all that it was built on with it.
 */
export const RELAXED_COMMIT = opening({
  ...PINNED_PLANS,
  ...BOUNDS,
  statement_timeout: '60s',
  synchronous_commit: 'off',
});

/** Of what an operator asks for, and of what clears away: it may be much. */
export const LONG_RUNNING = {
  ...opening({ ...PINNED_PLANS, ...BOUNDS, statement_timeout: '10min' }),
  timeoutMs: 600_000,
};

/** Seconds after which a search is given up: before the client gives up its connection. */
export const SEARCH_S = 30;

/** Planned for what is asked, for searches in which most is left open. */
export const SEARCHING = opening({
  enable_seqscan: 'off',
  jit: 'off',
  plan_cache_mode: 'force_custom_plan',
  statement_timeout: `${SEARCH_S}s`,
});
