/** What signals ask of a program that runs a worker. */
export interface SignalActions {
  /** The first SIGTERM or SIGINT: let running handlers finish, and end. */
  stop(signal: NodeJS.Signals): void;
  /** Another one: don't wait for handlers. */
  hurry(signal: NodeJS.Signals): void;
  /** SIGUSR1, SIGUSR2. */
  report(): void;
  /** SIGHUP. */
  reload(): void;
}

/** npm passes Ctrl-C on to a child that the terminal has told already: two signals so close are one. */
const SAME_REQUEST_MS = 300;

/**
 * Listens for signals until the function it answers with is called. With a listener on SIGUSR1, Node does not open its
 * inspector at it.
 */
export function handleSignals({ stop, hurry, report, reload }: SignalActions): () => void {
  let asked = Number.NEGATIVE_INFINITY;
  const heard = (signal: NodeJS.Signals) => {
    const before = asked;
    if (performance.now() - before < SAME_REQUEST_MS) return;
    asked = performance.now();
    if (before === Number.NEGATIVE_INFINITY) stop(signal);
    else hurry(signal);
  };
  const listeners: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = [
    ['SIGTERM', heard],
    ['SIGINT', heard],
    ['SIGHUP', reload],
  ];
  // Windows has none of the two, and refuses to listen for them.
  if (process.platform !== 'win32') listeners.push(['SIGUSR1', report], ['SIGUSR2', report]);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
