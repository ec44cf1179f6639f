import { useEffect, useId, useState } from 'react';
import { useNavigate } from 'react-router';
import { Dialog } from '../parts/dialog.tsx';
import { type Entry, useEntries } from './palette-entries.ts';

/** The command palette: opens a screen, a task, a template, a schedule, a cause or a worker, or begins an action, by a part of its name. */
export function Palette({ onClose }: { onClose(): void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const { entries, searching } = useEntries(text.trim());
  const navigate = useNavigate();
  const list = useId();
  const current = Math.min(at, entries.length - 1);
  const go = (entry: Entry | undefined) => {
    if (!entry || entry.lacking !== undefined) return;
    onClose();
    entry.run?.();
    if (entry.to !== undefined) void navigate(entry.to);
  };
  useEffect(() => {
    document.getElementById(`${list}-${current}`)?.scrollIntoView({ block: 'nearest' });
  }, [list, current]);
  return (
    <Dialog title="Search or go to" onClose={onClose} className="mt-[12vh] w-[560px]">
      <input
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={entries.length > 0 ? `${list}-${current}` : undefined}
        aria-label="Search or go to"
        placeholder="A task by id, key or tag, a template, a cause, an action"
        className="h-12 w-full border-b border-line bg-transparent px-4 text-base outline-none placeholder:text-faint"
        value={text}
        onChange={({ target }) => {
          setText(target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (step !== undefined) {
            event.preventDefault();
            setAt((current + step + entries.length) % Math.max(entries.length, 1));
          }
          if (event.key === 'Enter') go(entries[current]);
        }}
      />
      <div id={list} role="listbox" aria-label="Results" className="max-h-[50vh] overflow-y-auto p-2">
        {entries.map((entry, index) => (
          <div
            key={`${entry.kind} ${entry.name} ${entry.to}`}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === current}
            aria-disabled={entry.lacking !== undefined}
            className={`flex h-8 items-center justify-between gap-4 rounded-md px-2 text-sm ${index === current ? 'bg-select' : ''} ${entry.lacking === undefined ? 'cursor-pointer' : 'text-faint'}`}
            onMouseMove={() => setAt(index)}
            onClick={() => go(entry)}
            onKeyDown={() => {}}
          >
            <span className="truncate">{entry.name}</span>
            <span className="shrink-0 text-xs text-faint">
              {entry.lacking === undefined ? entry.kind : `needs the permission ${entry.lacking}`}
            </span>
          </div>
        ))}
      </div>
      <p role="status" className={entries.length === 0 ? 'px-4 pb-4 text-sm text-faint' : 'sr-only'}>
        {entries.length > 0 ? `${entries.length} results` : searching ? 'Searching…' : 'No results'}
      </p>
    </Dialog>
  );
}
