import { useNow } from '../api/live.tsx';
import { useCopy } from './copy.ts';
import { exactText, relativeText, timeOf } from './words.ts';

/** A time relative to now. The exact time is shown on hover. */
export function Time({ at }: { at: string | null | undefined }) {
  const now = useNow();
  if (!at) return <span className="text-faint">–</span>;
  const time = timeOf(at);
  return (
    <time dateTime={time.toISOString()} title={exactText(time)}>
      {relativeText(time, now)}
    </time>
  );
}

/** An id, shortened in the middle. A click copies the whole id. */
export function Id({ id, what = 'id' }: { id: string; what?: string }) {
  const { copied, copy } = useCopy(id);
  const short = id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id;
  return (
    <button
      type="button"
      className="rounded-sm font-mono text-xs text-soft hover:text-ink"
      title={`${id} (click to copy)`}
      onClick={copy}
    >
      <span className="sr-only">Copy {what} </span>
      {copied ? 'copied' : short}
    </button>
  );
}
