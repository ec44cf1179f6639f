/** The longest timeout of a Node timer. A timer with a longer timeout fires immediately. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Waits for `work`, at most `ms` milliseconds and until `cut` fires. Returns whether it ended in that time. Otherwise
 * it continues in the background, and the caller must handle its rejection.
 */
export async function waitAtMost(ms: number, work: Promise<unknown>, cut?: AbortSignal): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  let end = () => {};
  const late = new Promise<false>((resolve) => {
    end = () => resolve(false);
    timer = setTimeout(end, cut?.aborted ? 0 : Math.min(Math.max(0, ms), LONGEST_TIMER_MS));
  });
  cut?.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
    cut?.removeEventListener('abort', end);
  }
}
