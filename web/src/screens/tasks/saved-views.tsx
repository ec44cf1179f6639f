import { type FormEvent, useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import { Button } from '../../parts/controls.tsx';
import { useDraft } from '../../parts/draft.ts';
import { Choice, Menu } from '../../parts/menu.tsx';

interface View {
  name: string;
  /** The query of the address. */
  search: string;
}

const STORE = 'tasker.views';

function stored(): View[] {
  try {
    const found = JSON.parse(localStorage.getItem(STORE) ?? '[]') as View[];
    return Array.isArray(found)
      ? found.filter(({ name, search }) => typeof name === 'string' && typeof search === 'string')
      : [];
  } catch {
    return [];
  }
}

/** The filters that the person has saved under a name, in this browser. */
export function SavedViews() {
  const [views, setViews] = useState(stored);
  const [name, setName, clear] = useDraft('view', '');
  const [search] = useSearchParams();
  const navigate = useNavigate();
  const keep = (next: View[]) => {
    localStorage.setItem(STORE, JSON.stringify(next));
    setViews(next);
  };
  const here = queryOf(search);
  const current = views.find((view) => view.search === here);
  const save = (event: FormEvent) => {
    event.preventDefault();
    const chosen = name.trim();
    if (chosen === '') return;
    keep([...views.filter((view) => view.name !== chosen), { name: chosen, search: here }]);
    clear();
  };
  return (
    <Menu label={current ? current.name : 'Views'} name="Saved views">
      {views.length === 0 && (
        <p className="max-w-56 px-2.5 py-1.5 text-soft">Save the filters and the order under a name.</p>
      )}
      {views.map((view) => (
        <div key={view.name} className="flex items-center">
          <Choice onChoose={() => void navigate({ search: view.search })}>
            <span className={`max-w-56 truncate ${view === current ? 'font-medium' : ''}`}>{view.name}</span>
          </Choice>
          <button
            type="button"
            className="grid size-8 shrink-0 place-items-center rounded-md text-faint hover:bg-hover hover:text-ink"
            aria-label={`Delete the view ${view.name}`}
            onClick={() => keep(views.filter((other) => other !== view))}
          >
            ×
          </button>
        </div>
      ))}
      <form className="mt-1 flex items-center gap-1 border-t border-line p-1 pt-2" onSubmit={save}>
        <input
          aria-label="Name of the view"
          placeholder="Name of this view"
          maxLength={80}
          className="h-8 w-40 rounded-md border border-edge bg-surface px-2 text-ink placeholder:text-faint"
          value={name}
          onChange={({ target }) => setName(target.value)}
        />
        <Button type="submit" disabled={name.trim() === ''}>
          Save
        </Button>
      </form>
    </Menu>
  );
}

function queryOf(search: URLSearchParams): string {
  const kept = new URLSearchParams(search);
  kept.delete('cursor');
  kept.sort();
  return kept.toString();
}
