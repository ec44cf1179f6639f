import type { QueueDepth } from './queues.ts';

/** A handler that no live worker of its namespace has. */
export interface UnservedHandler {
  namespace: string;
  /** The callable. */
  handler: string;
  /** When a worker first missed it. If none has missed it, when the first of the steps became ready. ISO time. */
  since: string | null;
  /** Number of ready steps that need it. */
  steps: number;
}

/** Returns the handlers that no live worker has. The handlers that have been missing longest come first. */
export function unservedHandlersOf(queues: readonly QueueDepth[]): UnservedHandler[] {
  return queues
    .flatMap(({ namespace, unserved }) =>
      unserved
        .filter(({ reason }) => reason === 'no_handler')
        .map(({ handler, since, steps }) => ({ namespace, handler, since, steps })),
    )
    .sort((a, b) => (a.since ?? '~').localeCompare(b.since ?? '~') || a.handler.localeCompare(b.handler));
}
