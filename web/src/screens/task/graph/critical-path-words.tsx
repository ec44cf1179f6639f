import { durationText, percentText } from '../../../parts/words.ts';
import { spentText } from '../task-words.ts';
import type { CriticalPath, PathStep } from './critical-path.ts';

/** Longer paths are shortened in the middle. */
const MOST_SHOWN = 7;

interface PathWordsProps {
  path: CriticalPath | undefined;
  onSelect(step: string): void;
}

/** The critical path in words. */
export function PathWords({ path, onSelect }: PathWordsProps) {
  if (!path) return null;
  const { steps, ms, isOpen } = path;
  const longest = steps.reduce((most, step) => (step.ms > most.ms ? step : most));
  const hidden = steps.length > MOST_SHOWN ? steps.length - MOST_SHOWN + 1 : 0;
  const shown = hidden > 0 ? [...steps.slice(0, 3), undefined, ...steps.slice(3 - MOST_SHOWN + 1)] : steps;
  return (
    <section aria-label="Critical path" className="mt-3 text-sm leading-6 text-soft">
      <span className="mr-1.5 inline-block h-0.5 w-4 align-middle bg-path" aria-hidden="true" />
      <span className="font-medium text-ink">Critical path</span>
      {': '}
      {shown.map((step, at) => (
        <span key={step?.name ?? 'more'}>
          {at > 0 && <span className="text-faint"> → </span>}
          {step ? (
            <button type="button" className="hover:text-accent hover:underline" onClick={() => onSelect(step.name)}>
              {step.name}
            </button>
          ) : (
            <span className="text-faint">{hidden} more</span>
          )}
        </span>
      ))}
      {`, ${durationText(ms)}${isOpen ? ' so far' : ''}.`}
      {ms > 0 && ` ${longest.name} ${spentOf(longest)}, ${percentText(longest.ms / ms)} of it.`}
    </section>
  );
}

function spentOf({ ms, ranMs, hasEarlier }: PathStep): string {
  const rest = ms - ranMs;
  if (!hasEarlier) return spentText(rest, ranMs);
  const earlier = `spent ${durationText(rest)} on waits and earlier attempts`;
  return ranMs > 0 ? `${earlier} and ${spentText(0, ranMs)}` : earlier;
}
