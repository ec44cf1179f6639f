/** How a program with a worker reacts to signals. */
export interface SignalActions {
  /** Called on the first SIGTERM or SIGINT: waits for running handlers, then ends the program. */
  stop(signal: NodeJS.Signals): void;
  /** Called on another SIGTERM or SIGINT: stops waiting for handlers. */
  hurry(signal: NodeJS.Signals): void;
  /** Called on SIGUSR1 and SIGUSR2. */
  report(): void;
  /** Called on SIGHUP. */
  reload(): void;
}

/**
 * npm forwards Ctrl-C to a child that has already received it from the terminal, so two signals within this time are
 * treated as one.
 */
const SAME_REQUEST_MS = 300;

/**
 * Listens for signals until the returned function is called. With a listener for SIGUSR1, Node does not start its
 * inspector on that signal.
 */
export function handleSignals({ stop, hurry, report, reload }: SignalActions): () => void {
  let requestedAt = Number.NEGATIVE_INFINITY;
  const onStopSignal = (signal: NodeJS.Signals) => {
    const before = requestedAt;
    if (performance.now() - before < SAME_REQUEST_MS) return;
    requestedAt = performance.now();
    if (before === Number.NEGATIVE_INFINITY) stop(signal);
    else hurry(signal);
  };
  const listeners: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = [
    ['SIGTERM', onStopSignal],
    ['SIGINT', onStopSignal],
    ['SIGHUP', reload],
  ];
  // Windows has neither signal, and Node throws if a listener is added there.
  if (process.platform !== 'win32') listeners.push(['SIGUSR1', report], ['SIGUSR2', report]);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
