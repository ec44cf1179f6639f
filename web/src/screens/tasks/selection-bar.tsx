import { useState } from 'react';
import { Link } from 'react-router';
import type { TaskPage } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { ACTIONS, type BulkAct, BulkDialog, useLackingBulk } from '../../parts/bulk-dialog.tsx';
import { Button } from '../../parts/controls.tsx';
import { boundText, counted } from '../../parts/words.ts';
import { bulkFilterOf, type TaskQuery } from './filters.ts';

const ACTS = ['task_retry', 'task_cancel', 'task_resolve', 'task_delete'] as const;

interface SelectionBarProps {
  page: TaskPage;
  query: TaskQuery;
  selected: ReadonlySet<string> | 'all';
  onSelect(selected: ReadonlySet<string> | 'all'): void;
}

/** The actions on the selected tasks, or on all tasks that match the filter. */
export function SelectionBar({ page, query, selected, onSelect }: SelectionBarProps) {
  const [act, setAct] = useState<BulkAct>();
  const lacking = useLackingBulk();
  const link = useLinks();
  const [newer, older] = page.tasks
    .filter(({ task_uuid: uuid }) => selected !== 'all' && selected.has(uuid))
    .sort((a, b) => b.created_at.localeCompare(a.created_at))
    .map(({ task_uuid: uuid }) => uuid);
  const filter = bulkFilterOf(query);
  const { total_count: total, total_is_exact: exact } = page.pagination;
  const totalText = boundText(total, !exact);
  const begin = (action: (typeof ACTS)[number]) => {
    const ids = selected === 'all' ? [] : [...selected];
    setAct({
      action,
      what: selected === 'all' ? 'all tasks that match' : counted(ids.length, 'selected task'),
      targets: [selected === 'all' ? { filter } : { ids }],
    });
  };
  return (
    <section
      aria-label="Selected tasks"
      className="sticky bottom-4 z-10 mx-auto mt-4 flex w-fit max-w-full flex-wrap items-center gap-2 rounded-xl border border-edge bg-raised px-3 py-2 shadow-lg"
    >
      <span className="px-1 text-sm text-soft tabular-nums" aria-live="polite">
        {selected === 'all' ? `All ${totalText} that match` : `${counted(selected.size, 'task')} selected`}
      </span>
      {selected !== 'all' && total > selected.size && (
        <Button
          look="quiet"
          className="text-accent"
          disabled={Object.keys(filter).length === 0}
          title={
            Object.keys(filter).length === 0 ? 'Filter the tasks first: an action on every task is rejected' : undefined
          }
          onClick={() => onSelect('all')}
        >
          Select all {totalText} that match
        </Button>
      )}
      {ACTS.map((action) => (
        <Button
          key={action}
          look={action === 'task_retry' ? 'primary' : 'danger' in ACTIONS[action] ? 'danger' : 'plain'}
          lacking={lacking(action)}
          onClick={() => begin(action)}
        >
          {ACTIONS[action].verb}
        </Button>
      ))}
      {selected !== 'all' && selected.size === 2 && older !== undefined && (
        <Link
          to={link('tasks/compare', { one: older!, other: newer! })}
          className="inline-flex h-8 items-center rounded-md border border-edge bg-surface px-3 text-sm font-medium hover:bg-hover"
        >
          Compare
        </Link>
      )}
      <Button look="quiet" onClick={() => onSelect(new Set())}>
        Clear
      </Button>
      {act && (
        <BulkDialog
          act={act}
          onClose={() => {
            setAct(undefined);
            onSelect(new Set());
          }}
        />
      )}
    </section>
  );
}
