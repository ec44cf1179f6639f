import { useMemo } from 'react';
import { useNow } from '../../api/live.tsx';
import { Time } from '../../parts/text.tsx';
import { timeFormat } from '../../parts/zone.ts';
import { type Draft, dueTimesOf } from './schedule-draft.ts';

const MINUTE = 60_000;

/**
 * When the schedule would be due, in words, with its next times. It changes while the user types. `created`: when the
 * schedule that is edited was created.
 */
export function SchedulePreview({ draft, created }: { draft: Draft; created: string | undefined }) {
  const now = useNow().getTime();
  // The interval of a new schedule begins when it is created, so its seconds are unknown.
  const from = created === undefined ? Math.floor(now / MINUTE) * MINUTE : now;
  const anchor = created === undefined ? from : Date.parse(created);
  const found = useMemo(() => dueTimesOf(draft, from, anchor), [draft, from, anchor]);
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
