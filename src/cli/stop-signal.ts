import { note } from './show/output.ts';

const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/** npm passes Ctrl-C on to a child that the terminal has told already: two signals so close are one. */
const SAME_REQUEST_MS = 300;

/** What Ctrl-C and SIGTERM ask for. */
export interface StopRequest {
  /** Fires at the first one. */
  signal: AbortSignal;
  /** Resolves with the first one's name. */
  requested: Promise<keyof typeof NUMBERS>;
  /** Gives the signals back to Node. */
  release(): void;
}

/** Listens for SIGINT and SIGTERM: the first asks to stop, the second ends the process at once. */
export function listenForStop(): StopRequest {
  const controller = new AbortController();
  let tell: (name: keyof typeof NUMBERS) => void;
  const requested = new Promise<keyof typeof NUMBERS>((resolve) => {
    tell = resolve;
  });
  let first = 0;
  const heard = (name: NodeJS.Signals) => {
    const which = name as keyof typeof NUMBERS;
    if (controller.signal.aborted) {
      if (performance.now() - first < SAME_REQUEST_MS) return;
      note('stopped at once; steps that were running go back when their lease is over');
      process.exit(128 + NUMBERS[which]);
    }
    first = performance.now();
    controller.abort();
    tell(which);
  };
  const names = Object.keys(NUMBERS) as (keyof typeof NUMBERS)[];
  for (const name of names) process.on(name, heard);
  return {
    signal: controller.signal,
    requested,
    release: () => {
      for (const name of names) process.off(name, heard);
    },
  };
}
