/**
 * Settings under which the hot statements are planned. They pin index nested loops: a table that was empty when it was
 * analyzed would otherwise be scanned whole for each row of a batch, and the plan is kept.
 */
export const PINNED_PLANS = { enable_seqscan: 'off', enable_mergejoin: 'off', jit: 'off' } as const;
