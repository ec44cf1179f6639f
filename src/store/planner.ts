/**
 * Settings under which the hot statements are planned. They pin index nested loops: a table that was empty when it was
 * analyzed would otherwise be scanned whole for each row of a batch. And they keep the plan: planning a recording
 * takes longer than running it for one step.
 */
export const PINNED_PLANS = {
  enable_seqscan: 'off',
  enable_mergejoin: 'off',
  enable_bitmapscan: 'off',
  // Remembering lookups by ctid, each of which comes once, took a third of a recording's time.
  enable_memoize: 'off',
  jit: 'off',
  plan_cache_mode: 'force_generic_plan',
} as const;

/** For the claim, which must take the head of the queue by its key: with old statistics, reading all of it and sorting looks as cheap. */
export const QUEUE_ORDER = { ...PINNED_PLANS, enable_sort: 'off' } as const;
