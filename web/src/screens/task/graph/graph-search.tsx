import { numberText } from '../../../parts/words.ts';

/** Returns the names that contain a string, whatever the case of its letters. No name contains an empty string. */
export function matchesOf(names: readonly string[], wanted: string): string[] {
  const text = wanted.trim().toLowerCase();
  return text === '' ? [] : names.filter((name) => name.toLowerCase().includes(text));
}

interface GraphSearchProps {
  names: readonly string[];
  wanted: string;
  onSearch(wanted: string): void;
  onSelect(name: string): void;
}

/** Searches the steps of a graph. Enter selects the first match, and then the next one. */
export function GraphSearch({ names, wanted, onSearch, onSelect }: GraphSearchProps) {
  const matches = matchesOf(names, wanted);
  return (
    <form
      className="relative"
      onSubmit={(event) => {
        event.preventDefault();
        const form = event.currentTarget;
        const at = matches.indexOf(form.dataset.last ?? '');
        const next = matches[(at + 1) % matches.length];
        if (next === undefined) return;
        form.dataset.last = next;
        onSelect(next);
      }}
    >
      <input
        type="search"
        aria-label="Find a step"
        placeholder="Find a step"
        title="Enter selects the next match"
        className="h-7 w-44 rounded-md border border-edge bg-surface pr-12 pl-2 text-xs text-ink placeholder:text-faint [&::-webkit-search-cancel-button]:hidden"
        value={wanted}
        onChange={({ target }) => onSearch(target.value)}
      />
      <span aria-live="polite" className="pointer-events-none absolute top-1.5 right-2 text-xs text-faint tabular-nums">
        {wanted.trim() === '' ? '' : matches.length === 0 ? 'none' : numberText(matches.length)}
      </span>
    </form>
  );
}
