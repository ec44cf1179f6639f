import { useLive } from './live.tsx';
import { useStreaming } from './stream.tsx';

/** Milliseconds between two requests of a screen. */
const POLL_MS = 2_000;
/** While the stream reports changes, polling only protects against a stream that broke without an error. */
const PRECAUTION_MS = 15_000;

/** Returns the polling interval for data that the stream does not report. Polling stops while the page is paused. */
export function usePolling(ms = POLL_MS): number | false {
  return useLive().on && Math.max(ms, POLL_MS);
}

/** Returns the polling interval for data that the stream also reports. */
export function usePrecaution(ms = POLL_MS): number | false {
  const polling = usePolling(ms);
  return useStreaming() ? polling && Math.max(polling, PRECAUTION_MS) : polling;
}
