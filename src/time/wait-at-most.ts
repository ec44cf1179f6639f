/** No timer of Node runs longer: it would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Waits for something, `ms` at most and no longer than until `cut` fires; answers whether it came to an end. It goes on by
 * itself, and must not reject unheard.
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
