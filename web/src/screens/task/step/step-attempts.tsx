import { api } from '../../../api/client.ts';
import type { StepResponse } from '../../../api/types.ts';
import { State } from '../../../parts/state.tsx';
import { Time } from '../../../parts/text.tsx';
import { durationText } from '../../../parts/words.ts';
import { partQuery, useTaskPart } from '../use-task.ts';
import { attemptsOf, differenceOf } from './attempts.ts';

/** The attempts of a step, newest first, each with the differences from the previous attempt. */
export function Attempts({ step }: { step: StepResponse }) {
  const { task_uuid: uuid, name } = step;
  const history = useTaskPart(
    partQuery(uuid, `history of ${name}`, (options) => api.tasks.history(uuid, { limit: 1000, step: name }, options)),
  );
  const attempts = attemptsOf(step, history.data?.entries ?? []);
  if (attempts.length < 2) return null;
  return (
    <section aria-label="Attempts" className="border-b border-line px-4 py-3">
      <h3 className="mb-1 text-xs font-medium text-faint">Attempts</h3>
      <ol className="text-sm">
        {attempts
          .map((attempt, at) => {
            const { number, rerun, state, start, ms, who, error } = attempt;
            const difference = differenceOf(attempt, attempts[at - 1]);
            return (
              <li key={start.getTime()} className="border-t border-line py-1.5 first:border-t-0">
                <div className="flex items-center gap-3">
                  <span className="w-4 text-right text-faint tabular-nums">{number}</span>
                  <State state={state} />
                  <span className="grow text-soft tabular-nums">{ms !== undefined && durationText(ms)}</span>
                  <span className="text-faint" title={who ?? undefined}>
                    {rerun > 0 && `rerun ${rerun} · `}
                    <Time at={start.toISOString()} />
                  </span>
                </div>
                {(error || difference) && (
                  <p className="ml-7 text-xs break-words text-soft">
                    {difference !== 'same error' && error?.message}
                    {difference && (
                      <span className="text-faint">
                        {difference !== 'same error' && error ? ' · ' : ''}
                        {difference}
                      </span>
                    )}
                  </p>
                )}
              </li>
            );
          })
          .toReversed()}
      </ol>
    </section>
  );
}
