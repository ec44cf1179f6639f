import { once } from 'node:events';
import { note } from './show/output.ts';
import { thisRun } from './this-run.ts';

/** The terminal and npm both pass Ctrl-C to a child of npm, so two signals within this time are treated as one. */
const SAME_REQUEST_MS = 300;

/** A request to stop by Ctrl-C or SIGTERM. */
export interface StopRequest {
  /** Aborted by the first signal. */
  signal: AbortSignal;
  /** Resolves at the first signal. */
  requested: Promise<unknown>;
  /** Stops listening for signals. */
  release(): void;
}

/**
 * Listens for SIGINT and SIGTERM, or for the signal of the run. The first request stops the command, and the second ends the
 * process immediately.
 */
export function listenForStop(): StopRequest {
  const controller = new AbortController();
  const requested = once(controller.signal, 'abort');
  let first = 0;
  const heard = (_name: NodeJS.Signals, number: number) => {
    if (controller.signal.aborted) {
      if (performance.now() - first < SAME_REQUEST_MS) return;
      note('stopped immediately; running steps return to the queue when their lease expires');
      process.exit(128 + number);
    }
    first = performance.now();
    controller.abort();
  };
  return { signal: controller.signal, requested, release: thisRun().onStop(heard) };
}
