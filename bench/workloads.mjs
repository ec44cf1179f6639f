// The graphs that the benchmark runs: the parents of each step, by position.
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
};

/** A workload as a template. */
export function templateOf(name) {
  return {
    name: name.toLowerCase(),
    namespace_name: 'bench',
    version: '1.0.0',
    identity_strategy: 'always_unique',
    steps: WORKLOADS[name].map((parents, i) => ({
      name: `s${i}`,
      handler: { callable: 'work' },
      dependencies: parents.map((parent) => `s${parent}`),
    })),
  };
}
