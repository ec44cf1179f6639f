import type { ReactNode } from 'react';
import { useSearchParams } from 'react-router';

interface Tab<Key extends string> {
  key: Key;
  name: ReactNode;
}

interface TabsProps<Key extends string> {
  label: string;
  tabs: readonly Tab<Key>[];
  current: Key;
  onChoose(key: Key): void;
}

/** A list of tabs. Their panel is a {@link TabPanel}. */
export function Tabs<Key extends string>({ label, tabs, current, onChoose }: TabsProps<Key>) {
  return (
    <div role="tablist" aria-label={label} className="mb-4 flex gap-1 overflow-x-auto border-b border-line">
      {tabs.map(({ key, name }, at) => (
        <button
          key={key}
          id={`tab-${key}`}
          type="button"
          role="tab"
          aria-selected={key === current}
          aria-controls="tab-panel"
          tabIndex={key === current ? 0 : -1}
          className={`-mb-px h-9 shrink-0 border-b-2 px-3 text-sm ${key === current ? 'border-accent font-medium' : 'border-transparent text-soft hover:text-ink'}`}
          onClick={() => onChoose(key)}
          onKeyDown={({ key: pressed, currentTarget }) => {
            const step = { ArrowRight: 1, ArrowLeft: -1 }[pressed];
            const next = step && tabs[(at + step + tabs.length) % tabs.length];
            if (!next) return;
            onChoose(next.key);
            currentTarget.parentElement?.querySelector<HTMLElement>(`#tab-${next.key}`)?.focus();
          }}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

export function TabPanel({ current, children }: { current: string; children: ReactNode }) {
  return (
    <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${current}`}>
      {children}
    </div>
  );
}

/** Returns the chosen tab, which is part of the URL, and a function that chooses another. */
export function useTab<Key extends string>(tabs: readonly Tab<Key>[]): [Key, (key: Key) => void] {
  const [search, setSearch] = useSearchParams();
  const view = search.get('view');
  const current = tabs.find(({ key }) => key === view) ?? tabs[0]!;
  const choose = (key: Key) =>
    setSearch((now) => {
      now.set('view', key);
      return now;
    });
  return [current.key, choose];
}
