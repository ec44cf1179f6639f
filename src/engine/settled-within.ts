/** No timer of Node runs longer: it would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Waits for something, `ms` at most; answers whether it came to an end. It goes on by itself, and must not reject unheard. */
export async function settledWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.min(Math.max(0, ms), LONGEST_TIMER_MS));
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
