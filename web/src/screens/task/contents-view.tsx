import { useMemo } from 'react';
import { api } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import { Panel } from '../../parts/controls.tsx';
import { JsonTree } from '../../parts/json-tree.tsx';
import { State } from '../../parts/state.tsx';
import type { ViewProps } from './use-task.ts';

/** Further results are shown when their step is selected. */
const MOST_SHOWN = 50;
/** The server sends this text instead of values that the template declares as sensitive. */
const HIDDEN = '"[redacted]"';

const NONE: NonNullable<ViewProps['data']['steps']> = [];

/** The context of the task, and the results of its steps. */
export function ContentsView({ data: { task, steps = NONE }, selected, onSelect }: ViewProps) {
  const done = steps.filter(({ results }) => results?.success);
  const shown = done.filter(({ name }, at) => at < MOST_SHOWN || name === selected);
  const lacking = useLacking()(api.tasks.context);
  const hides = useMemo(() => JSON.stringify([task.context, steps]).includes(HIDDEN), [task.context, steps]);
  return (
    <>
      {hides && lacking !== undefined && (
        <p className="text-sm text-soft">To see what is [redacted], you need the permission {lacking}.</p>
      )}
      <Panel title="Context">
        <JsonTree name="the context" value={task.context} />
      </Panel>
      {shown.map(({ name, current_state: state, results }) => (
        <Panel
          key={name}
          title={`Result of ${name}`}
          more={
            <button
              type="button"
              aria-label={`Select ${name}`}
              className="hover:underline"
              onClick={() => onSelect(name)}
            >
              <State state={state} />
            </button>
          }
        >
          <div className={name === selected ? 'border-l-2 border-accent' : ''}>
            <JsonTree name={`the result of ${name}`} value={results?.result} />
          </div>
        </Panel>
      ))}
      {shown.length < done.length && (
        <p className="text-sm text-soft">{done.length - shown.length} more results; select a step to see its own.</p>
      )}
    </>
  );
}
