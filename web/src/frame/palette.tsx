import { useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useNavigate } from 'react-router';
import type { Templates } from '../api/types.ts';
import { Dialog } from '../parts/dialog.tsx';
import { useLinks } from './namespace.ts';
import { SCREENS } from './screens.ts';

interface Entry {
  name: string;
  kind: string;
  to: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const MOST = 12;

/** Goes to a screen, a task or a template by typing a part of its name. */
export function Palette({ onClose }: { onClose(): void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const entries = useEntries(text.trim());
  const navigate = useNavigate();
  const list = useId();
  const go = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    void navigate(entry.to);
  };
  return (
    <Dialog title="Search or go to" onClose={onClose} className="w-[560px]">
      <input
        autoFocus
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={`${list}-${at}`}
        aria-label="Search or go to"
        placeholder="A screen, a template, a tag, or the id of a task"
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
            setAt((at + step + entries.length) % Math.max(entries.length, 1));
          }
          if (event.key === 'Enter') go(entries[at]);
        }}
      />
      <div id={list} role="listbox" aria-label="Results" className="max-h-[50vh] overflow-y-auto p-2">
        {entries.map((entry, index) => (
          <div
            key={`${entry.kind} ${entry.to}`}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            className={`flex h-8 cursor-pointer items-center justify-between gap-4 rounded-md px-2 text-sm ${index === at ? 'bg-select' : ''}`}
            onMouseMove={() => setAt(index)}
            onClick={() => go(entry)}
            onKeyDown={() => {}}
          >
            <span className="truncate">{entry.name}</span>
            <span className="text-xs text-faint">{entry.kind}</span>
          </div>
        ))}
      </div>
    </Dialog>
  );
}

function useEntries(text: string): Entry[] {
  const queries = useQueryClient();
  const link = useLinks();
  const templates = queries.getQueryData<Templates>(['templates', undefined])?.templates ?? [];
  const has = (name: string) => name.toLowerCase().includes(text.toLowerCase());
  const found: Entry[] = [
    ...SCREENS.filter(({ name }) => has(name)).map(({ name, path }) => ({ name, kind: 'screen', to: link(path) })),
    ...templates
      .filter(({ namespace, name }) => text !== '' && has(`${namespace}/${name}`))
      .map(({ namespace, name, version }) => ({
        name: `${namespace}/${name}@${version}`,
        kind: 'template',
        to: link(`templates/${namespace}/${name}/${version}`),
      })),
  ];
  if (UUID.test(text)) found.unshift({ name: text, kind: 'open task', to: link(`tasks/${text}`) });
  else if (text !== '') {
    found.push({ name: `Tasks with tag ${text}`, kind: 'search', to: link('tasks', { tag: text }) });
    found.push({ name: `Tasks named ${text}`, kind: 'search', to: link('tasks', { name: text }) });
  }
  return found.slice(0, MOST);
}
