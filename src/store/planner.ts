/**
 * Planner settings for the hot statements. Forces index nested loops, because otherwise a table that was empty when it
 * was analyzed is scanned as a whole for each row of a batch. Also keeps the plan, because planning a recording takes
 * longer than running it for one step.
 */
export const PINNED_PLANS = {
  enable_seqscan: 'off',
  enable_mergejoin: 'off',
  enable_bitmapscan: 'off',
  // Memoization is off: each row is looked up only once, and memoizing took a third of a recording's time.
  enable_memoize: 'off',
  jit: 'off',
  plan_cache_mode: 'force_generic_plan',
} as const;

/**
 * Settings for overviews, which are planned at each call for the values of their parameters. Sequential scans are off: if
 * most rows belong to one template, the planner would scan the whole table once for each other template.
 */
export const OVERVIEW_PLANS = {
  enable_seqscan: 'off',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  plan_cache_mode: 'force_custom_plan',
} as const;

/**
 * Settings for the claim, which must read the head of the queue in key order. With outdated statistics, the planner may
 * consider reading and sorting the whole queue just as cheap.
 */
export const QUEUE_ORDER = { ...PINNED_PLANS, enable_sort: 'off' } as const;
