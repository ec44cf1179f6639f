import { Handle, type Node, type NodeProps, Position } from '@xyflow/react';
import { memo } from 'react';
import { useNow } from '../../../api/live.tsx';
import type { GraphNode } from '../../../api/types.ts';
import { lookOf, StateShape } from '../../../parts/state.tsx';
import type { Direction } from '../layout.ts';
import { isTicking, stepTimeText } from '../task-words.ts';
import { BatchBar, progressText } from './batch-bar.tsx';
import { BatchGrid } from './batch-node.tsx';
import { type Group, progressOf } from './shape.ts';

export type StepNodeData = {
  group: Group;
  isUnfolded: boolean;
  /** The selected step, if it is in this group. */
  selected: string | undefined;
  isFocusable: boolean;
  direction: Direction;
  onSelect(name: string): void;
  onToggle(name: string): void;
};

/** A step in the graph, or a batch. */
export const StepNode = memo(function StepNode({ data }: NodeProps<Node<StepNodeData, 'step'>>) {
  const { group, isUnfolded, selected, isFocusable, direction, onSelect, onToggle } = data;
  const [before, after] = direction === 'LR' ? [Position.Left, Position.Right] : [Position.Top, Position.Bottom];
  const { name, state, presence, isBatch, madeBy } = group;
  const { hue } = lookOf(state ?? 'pending');
  const words = stateWords(group);
  return (
    <div
      className={`step-box step-node ${selected !== undefined ? 'step-box-selected' : ''}`}
      data-hue={state === undefined ? undefined : hue}
      data-presence={presence}
      data-state={state}
    >
      <Handle type="target" position={before} isConnectable={false} />
      <div className={isUnfolded ? 'flex h-9 w-full items-center' : 'flex size-full items-center'}>
        <div className="step-main">
          <StateShape state={state ?? 'pending'} size={16} />
          <div className="step-text min-w-0 grow">
            <div className="flex items-center gap-1">
              <span
                aria-hidden="true"
                className={`step-name truncate text-sm leading-[18px] font-medium ${isUnfolded ? 'max-w-3/5 shrink-0' : ''}`}
              >
                {name}
              </span>
              {madeBy !== undefined && <MadeAtRunTime by={madeBy} />}
              {isUnfolded && (
                <span aria-hidden="true" className="ml-auto min-w-0 truncate pr-1 text-xs text-faint tabular-nums">
                  {words}
                </span>
              )}
            </div>
            {!isUnfolded && <Detail group={group} words={words} />}
          </div>
          {/* Drawn over the texts, some of which change every second. */}
          <button
            type="button"
            data-node={name}
            aria-label={`${name}: ${words}`}
            aria-pressed={selected === name}
            title={name}
            tabIndex={isFocusable ? 0 : -1}
            className="absolute inset-0 rounded-[7px]"
            onClick={() => onSelect(name)}
          />
        </div>
        {isBatch && presence === 'made' && (
          <button
            type="button"
            aria-label={`${isUnfolded ? 'Fold' : 'Unfold'} ${name}`}
            aria-expanded={isUnfolded}
            tabIndex={isFocusable ? 0 : -1}
            className="step-text mr-1 size-6 shrink-0 rounded text-faint hover:bg-hover hover:text-ink"
            onClick={() => onToggle(name)}
          >
            {isUnfolded ? '−' : '+'}
          </button>
        )}
      </div>
      {isUnfolded && <BatchGrid group={group} selected={selected} isFocusable={isFocusable} onSelect={onSelect} />}
      <Handle type="source" position={after} isConnectable={false} />
    </div>
  );
});

/** The state of a group in words. */
function stateWords(group: Group): string {
  const { state, presence, isBatch, elements } = group;
  if (presence === 'not_taken') return 'not taken';
  if (state === undefined) return 'not created yet';
  if (isBatch || elements) return progressText(progressOf(group));
  return lookOf(state).word;
}

function Detail({ group, words }: { group: Group; words: string }) {
  const [step] = group.steps;
  if ((group.isBatch || group.elements) && step) {
    return (
      <div className="step-detail mt-0.5">
        <div aria-hidden="true" className="truncate pb-1 text-xs leading-4 text-faint tabular-nums">
          {words}
        </div>
        <BatchBar group={group} />
      </div>
    );
  }
  return (
    <div aria-hidden="true" className="step-detail truncate text-xs text-faint tabular-nums">
      {words}
      {step && (isTicking(step) ? <TickingTime step={step} /> : <Took step={step} />)}
      {step && step.attempts > 1 && ` · ${step.attempts}/${step.max_attempts}`}
    </div>
  );
}

function Took({ step }: { step: GraphNode }) {
  const text = timeTextOf(step, new Date());
  return text === '' ? null : ` · ${text}`;
}

/** Only these strings are drawn every second. */
function TickingTime({ step }: { step: GraphNode }) {
  return ` · ${timeTextOf(step, useNow())}`;
}

function timeTextOf(
  { state, started_at: startedAt, next_retry_at: nextRetryAt, duration_ms: ms }: GraphNode,
  now: Date,
) {
  return stepTimeText({ state, startedAt, nextRetryAt, ms }, now);
}

function MadeAtRunTime({ by }: { by: string }) {
  return (
    <svg width="12" height="12" viewBox="0 0 12 12" className="shrink-0 text-s-violet" role="img">
      <title>{`created at run time by ${by}`}</title>
      <path d="M6 1.5 10.5 6 6 10.5 1.5 6z" fill="none" stroke="currentColor" strokeWidth="1.3" />
    </svg>
  );
}
