/**
 * Repeats a measurement until it is below a bound, and returns the minimum. For times and counts that a busy machine
 * can only increase: a fault of the program shows in every round.
 */
export async function leastOf(bound: number, measure: () => Promise<number>, rounds = 10): Promise<number> {
  let least = await measure();
  for (let round = 1; least >= bound && round < rounds; round++) least = Math.min(least, await measure());
  return least;
}

/** Measures the time of an action in milliseconds. */
export async function msOf(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** The time of {@link spin} on an idle machine with two cores of 2026, in milliseconds. */
const SPIN_MS = 30;

/** Computes for about 30 ms. Returns the time in milliseconds, which is longer on a slow or busy machine. */
function spin(): number {
  const began = performance.now();
  let sum = 0;
  for (let i = 0; i < 10_000_000; i++) sum = (sum + i) % 1_000_003;
  return sum < 0 ? 0 : performance.now() - began;
}

/**
 * Measures the time of a computation in milliseconds of an idle machine: the time is divided by how much slower the machine is
 * before and after it. Not for actions that wait for timers.
 */
export async function idleMsOf(act: () => Promise<unknown>): Promise<number> {
  const before = spin();
  const took = await msOf(act);
  return took / Math.max(1, (before + spin()) / 2 / SPIN_MS);
}
