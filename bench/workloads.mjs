// The graphs of the benchmark: the parents of each step, by position.
const range = (n) => Array.from({ length: n }, (_, i) => i);

export const WORKLOADS = {
  /** Linear, 4 steps. */
  W1: [[], [0], [1], [2]],
  /** Diamond. */
  W2: [[], [0], [0], [1, 2]],
  /** 7 steps: one root, three branches, two joins, one end. */
  W3: [[], [0], [0], [0], [1, 2], [2, 3], [4, 5]],
  /** 1 → 100 → 1. */
  W4: [[], ...range(100).map(() => [0]), range(100).map((i) => i + 1)],
  /** A single step. */
  W5: [[]],
  /** An analyzer, its 1,000 batch workers, and the step that joins them. */
  W6: [[], ...range(1000).map(() => [0]), range(1000).map((i) => i + 1)],
  /** W1 with one durable event per step. */
  W7: [[], [0], [1], [2]],
  /** W1 with a worker over HTTP. */
  W10: [[], [0], [1], [2]],
  /** W2 with a condition on one arm, which is true. */
  W11: [[], [0], [0], [1, 2]],
};

/** The event of each step of W7. */
const EVENT = {
  name: 'bench.worked',
  description: 'A step is done',
  schema: { type: 'object', required: ['ok'], properties: { ok: { type: 'boolean' } } },
};

/** The steps of W6, whose workers are created while it runs. */
const BATCH = { batch_size: 1, parallelism: 1000, cursor_field: 'id', failure_strategy: 'fail_fast' };
const BATCH_STEPS = [
  { name: 's0', type: 'batchable', handler: 'cut' },
  {
    name: 's1',
    type: 'batch_worker',
    handler: 'work',
    depends_on: ['s0'],
    batch_config: { ...BATCH, worker_template: 's1' },
  },
  { name: 's2', type: 'deferred_convergence', handler: 'work', depends_on: ['s1'] },
];

/** The result of W6's analyzer. */
export const CUT = {
  batch_processing_outcome: {
    type: 'create_batches',
    cursor_configs: range(1000).map((i) => ({
      batch_id: String(i),
      start_cursor: i,
      end_cursor: i + 1,
      batch_size: 1,
    })),
  },
};

/** Returns a workload as a template. */
export function templateOf(name) {
  return {
    name: name.toLowerCase(),
    namespace_name: 'bench',
    version: '1.0.0',
    identity_strategy: 'always_unique',
    steps:
      name === 'W6'
        ? BATCH_STEPS
        : WORKLOADS[name].map((parents, i) => ({
            name: `s${i}`,
            handler: { callable: 'work' },
            dependencies: parents.map((parent) => `s${parent}`),
            ...(name === 'W7' && { publishes_events: [EVENT] }),
            ...(name === 'W11' && i === 1 && { when: '!has(context.never)' }),
          })),
  };
}
