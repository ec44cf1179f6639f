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
