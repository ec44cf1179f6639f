import type { KeyboardEvent } from 'react';
import { lookOf, StateShape } from '../../../parts/state.tsx';
import { counted } from '../../../parts/words.ts';
import { NODE, type Size } from '../layout.ts';
import type { Group } from './shape.ts';

/** The size of a node with a progress bar. */
export const FOLDED = { width: NODE.width, height: 64 } as const;
/** Pixels of a worker in the grid. */
const CELL = 20;
const HEAD = 36;
const EDGE = 12;
const MOST_COLUMNS = 40;

function columnsOf(workers: number): number {
  return Math.min(MOST_COLUMNS, Math.max(8, Math.ceil(Math.sqrt(workers * 2))));
}

/** Returns the size of a batch in the graph. */
export function batchSize(workers: number, isUnfolded: boolean): Size {
  if (!isUnfolded) return FOLDED;
  const columns = columnsOf(workers);
  return {
    width: Math.max(FOLDED.width, columns * CELL + 2 * EDGE),
    height: HEAD + Math.ceil(workers / columns) * CELL + EDGE,
  };
}

interface BatchGridProps {
  group: Group;
  selected: string | undefined;
  isFocusable: boolean;
  onSelect(name: string): void;
}

/** All workers of a batch, or the steps of all elements that have started. The arrow keys move between them. */
export function BatchGrid({ group: { name, steps, elementOf }, selected, isFocusable, onSelect }: BatchGridProps) {
  const columns = columnsOf(steps.length);
  const current = Math.max(
    0,
    steps.findIndex((step) => step.name === selected),
  );
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const cells = [...event.currentTarget.children] as HTMLElement[];
    const at = cells.indexOf(event.target as HTMLElement) + by;
    if (!steps[at]) return;
    onSelect(steps[at].name);
    cells[at]!.focus();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset has a border and a minimum width of its own
    <div
      role="group"
      aria-label={`${counted(steps.length, elementOf === null ? 'worker' : 'element')} of ${name}`}
      className="nodrag nopan grid px-3"
      style={{ gridTemplateColumns: `repeat(${columns}, ${CELL}px)`, gridAutoRows: CELL }}
      onKeyDown={onKeyDown}
    >
      {steps.map((step, at) => {
        const { word } = lookOf(step.state ?? 'pending');
        const label = `${step.name}${step.element?.key == null ? '' : ` (${step.element.key})`}: ${word}`;
        return (
          <button
            key={step.name}
            type="button"
            aria-label={label}
            aria-pressed={step.name === selected}
            title={label}
            tabIndex={isFocusable && at === current ? 0 : -1}
            className={`flex size-full items-center justify-center rounded ${step.name === selected ? 'bg-select outline-2 -outline-offset-2 outline-accent' : 'hover:bg-hover'}`}
            onClick={() => onSelect(step.name)}
          >
            <StateShape state={step.state ?? 'pending'} size={14} />
          </button>
        );
      })}
    </div>
  );
}
