/** The reactions of a program with a worker to signals. */
export interface SignalActions {
  /** On the first SIGTERM or SIGINT: lets running handlers finish, then ends. */
  stop(signal: NodeJS.Signals): void;
  /** On another one: stops waiting for handlers. */
  hurry(signal: NodeJS.Signals): void;
  /** On SIGUSR1 and SIGUSR2. */
  report(): void;
  /** On SIGHUP. */
  reload(): void;
}

/** npm forwards Ctrl-C to a child that already got it from the terminal, so two signals this close count as one. */
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
  // Windows has neither of the two, and Node throws when a listener is added there.
  if (process.platform !== 'win32') listeners.push(['SIGUSR1', report], ['SIGUSR2', report]);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
