/** Maximum age, in seconds, of data that the stream of changes does not report. */
const MOST_SECONDS = 30;
/** The same for data derived from tasks, whose changes the stream reports. */
const MOST_REPORTED_SECONDS = 120;
/** The search tables lag behind a change by up to this many seconds. */
const LAG_SECONDS = 3;
const REPORTED = /^\/?v1\/(status|summary|stats|task-histogram|tasks|approvals|dlq)\b/;

/** The time since which nothing has changed. Undefined if the page does not know such a time. */
let quietSince: number | undefined;

/** Records that something may have changed, and whether the stream will report the next change. */
export function noteChange({ isFollowing }: { isFollowing: boolean }): void {
  quietSince = isFollowing ? performance.now() : undefined;
}

/** Records that the page itself has changed something. */
export function noteOwnChange(): void {
  if (quietSince !== undefined) quietSince = performance.now();
}

/**
 * Returns the maximum age of a response in seconds. The response must not be older than the last change that the page
 * knows of. The server can then send one response to many pages. If undefined, the response must be new.
 */
export function allowedAge(path: string): number | undefined {
  if (quietSince === undefined || document.hidden) return undefined;
  const seconds = Math.floor((performance.now() - quietSince) / 1000) - LAG_SECONDS;
  return Math.min(Math.max(0, seconds), REPORTED.test(path) ? MOST_REPORTED_SECONDS : MOST_SECONDS);
}
