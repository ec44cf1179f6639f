import { useMemo } from 'react';
import { useNow } from '../../api/live.tsx';
import { Time } from '../../parts/text.tsx';
import { timeFormat } from '../../parts/zone.ts';
import { type Draft, dueTimesOf } from './schedule-draft.ts';

const MINUTE = 60_000;

/** When the schedule would be due, in words, with its next times. It changes while the user types. */
export function SchedulePreview({ draft }: { draft: Draft }) {
  const now = useNow();
  // Without seconds, because an interval begins when the schedule is created.
  const minute = Math.floor(now.getTime() / MINUTE) * MINUTE;
  const found = useMemo(() => dueTimesOf(draft, minute), [draft, minute]);
  if (!found) return null;
  const { words, next, zone } = found;
  const format = timeFormat(
    { weekday: 'short', year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' },
    zone,
  );
  return (
    <section aria-label="Preview" className="border-t border-line bg-page px-4 py-3 text-sm">
      <p className="font-medium" aria-live="polite">
        {words.charAt(0).toUpperCase()}
        {words.slice(1)}
      </p>
      {next.length === 0 ? (
        <p className="mt-1 text-s-amber">No due time is left before the end.</p>
      ) : (
        <ol aria-label="Next times" className="mt-1 grid gap-x-6 text-soft tabular-nums sm:grid-cols-2">
          {next.map((at, index) => (
            <li key={at}>
              {format(new Date(at))}
              {index === 0 && (
                <span className="text-faint">
                  {' · '}
                  <Time at={new Date(at).toISOString()} />
                </span>
              )}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
