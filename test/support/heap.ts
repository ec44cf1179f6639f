import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/**
 * Returns the megabytes of reachable memory, after garbage collection. Collects until it no longer decreases: promises settle
 * in the meantime, and timers of earlier tests in this process end.
 */
export async function heapMb(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let unchanged = 0, rounds = 0; unchanged < 2 && rounds < 12; rounds++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const used = process.memoryUsage().heapUsed / 1_048_576;
    unchanged = used > least - 0.2 ? unchanged + 1 : 0;
    least = Math.min(least, used);
  }
  return least;
}
