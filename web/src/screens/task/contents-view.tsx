import { useMemo } from 'react';
import { api } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import type { Task } from '../../api/types.ts';
import { Panel } from '../../parts/controls.tsx';
import { JsonTree, REDACTED } from '../../parts/json-tree.tsx';
import { lookOf, State } from '../../parts/state.tsx';
import type { ViewProps } from './use-task.ts';

/** Further results are shown when their step is selected. */
const MOST_SHOWN = 50;
const NONE: NonNullable<ViewProps['data']['steps']> = [];

/** The output of the task if it is complete, its context, and the results of its steps. */
export function ContentsView({ data: { task, steps = NONE }, selected, onSelect }: ViewProps) {
  const done = steps.filter(({ results }) => results?.success);
  const shown = done.filter(({ name }, at) => at < MOST_SHOWN || name === selected);
  const lacking = useLacking()(api.tasks.context);
  const { context, output } = task;
  const hides = useMemo(() => JSON.stringify([output, context, steps]).includes(REDACTED), [output, context, steps]);
  return (
    <>
      {hides && lacking !== undefined && (
        <p className="text-sm text-soft">To see what is [redacted], you need the permission {lacking}.</p>
      )}
      <Output of={task} />
      <Panel title="Context">
        <JsonTree name="the context" value={context} />
      </Panel>
      {shown.map(({ name, current_state: state, results }) => (
        <Panel
          key={name}
          title={`Result of ${name}`}
          more={
            <button
              type="button"
              aria-label={`Select ${name}: ${lookOf(state).word}`}
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

/** The output of a complete task, or why it has none. Nothing if its template has no output. */
function Output({ of: { output, output_error: problem } }: { of: Task }) {
  if (output === undefined && problem === undefined) return null;
  return (
    <Panel title="Output">
      {problem === undefined ? (
        <JsonTree name="the output" value={output} />
      ) : (
        <p className="px-4 py-3 text-sm break-words text-s-red">{problem}</p>
      )}
    </Panel>
  );
}
