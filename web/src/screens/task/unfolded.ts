import { useCallback, useMemo, useRef } from 'react';
import { useSearchParams } from 'react-router';

/** The batches that are shown with all their workers. They are in the address. */
export function useUnfolded(): { unfolded: ReadonlySet<string>; toggle(name: string): void } {
  const [search, setSearch] = useSearchParams();
  const key = search.getAll('unfold').join('\n');
  const unfolded = useMemo(() => new Set(key.split('\n')), [key]);
  const set = useRef(setSearch);
  set.current = setSearch;
  const toggle = useCallback((name: string) => {
    set.current(
      (now) => {
        if (now.has('unfold', name)) now.delete('unfold', name);
        else now.append('unfold', name);
        return now;
      },
      { replace: true },
    );
  }, []);
  return { unfolded, toggle };
}
