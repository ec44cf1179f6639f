/** Data that the stream of changes does not report may be this many seconds old, so that it is still seen to change. */
const MOST_SECONDS = 30;
/** The same for what is made of tasks, whose changes are reported. */
const MOST_REPORTED_SECONDS = 120;
/** The tables that are searched follow a change by up to this many seconds. */
const LAG_SECONDS = 3;
const REPORTED = /^\/?v1\/(status|summary|stats|task-histogram|tasks|approvals|dlq)\b/;

/** Since when the page knows that nothing changed. Undefined if it does not know. */
let quietSince: number | undefined;

/** Notes that something may have changed, and whether the page will hear of the next change. */
export function noteChange({ isFollowing }: { isFollowing: boolean }): void {
  quietSince = isFollowing ? performance.now() : undefined;
}

/** Notes that the page itself has changed something. */
export function noteOwnChange(): void {
  if (quietSince !== undefined) quietSince = performance.now();
}

/**
 * Returns how old an answer of the server may be, in seconds: not older than the last change that the page knows of.
 * Then the server can give many pages one answer. If undefined, it must be new.
 */
export function allowedAge(path: string): number | undefined {
  if (quietSince === undefined || document.hidden) return undefined;
  const seconds = Math.floor((performance.now() - quietSince) / 1000) - LAG_SECONDS;
  return Math.min(Math.max(0, seconds), REPORTED.test(path) ? MOST_REPORTED_SECONDS : MOST_SECONDS);
}
