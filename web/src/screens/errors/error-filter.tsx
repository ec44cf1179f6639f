import { useEffect, useState } from 'react';
import { useSearchParams } from 'react-router';
import { useTemplates } from '../../api/templates.ts';
import { useNamespace } from '../../frame/namespace.ts';
import { Button } from '../../parts/controls.tsx';
import { INPUT } from '../../parts/form/field.tsx';

/** The conditions that the screen can set: parameters of its address, and of the API. */
export const FILTERS = ['updated_after', 'name', 'error'] as const;

type Filter = (typeof FILTERS)[number];

const PERIODS: Readonly<Record<string, string>> = {
  '': 'Any time',
  '1h': 'Last hour',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
};
const SELECT = 'h-8 max-w-56 rounded-md border border-edge bg-surface px-2 text-sm text-ink';

/** Returns the conditions of the address. */
export function useErrorConditions(): Partial<Record<Filter | 'namespace', string>> {
  const [search] = useSearchParams();
  const namespace = useNamespace();
  const given = FILTERS.flatMap((name) => (search.get(name) ? [[name, search.get(name)!]] : []));
  return { ...(namespace !== undefined && { namespace }), ...Object.fromEntries(given) };
}

/** Limits the errors to a time, a template and a text. */
export function ErrorFilter() {
  const [search, setSearch] = useSearchParams();
  const namespace = useNamespace();
  const { data } = useTemplates(60_000);
  const text = search.get('error') ?? '';
  const [typed, setTyped] = useState(text);
  useEffect(() => setTyped(text), [text]);
  const set = (values: Partial<Record<Filter, string>>) =>
    setSearch((now) => {
      for (const [name, value] of Object.entries(values)) {
        if (value === '') now.delete(name);
        else now.set(name, value);
      }
      return now;
    });
  const [period, chosen] = [search.get('updated_after') ?? '', search.get('name') ?? ''];
  const own = (data?.templates ?? []).filter((template) => namespace === undefined || template.namespace === namespace);
  const names = [...new Set([...own.map(({ name }) => name), ...(chosen === '' ? [] : [chosen])])].sort();
  return (
    <form
      aria-label="Filter the errors"
      className="mb-4 flex flex-wrap items-center gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        set({ error: typed.trim() });
      }}
    >
      <select
        aria-label="Time"
        title="Tasks that changed in this time"
        className={SELECT}
        value={period}
        onChange={({ target }) => set({ updated_after: target.value })}
      >
        {/* A link may have another time. */}
        {[...new Set([...Object.keys(PERIODS), period])].map((value) => (
          <option key={value} value={value}>
            {PERIODS[value] ?? `Since ${value}`}
          </option>
        ))}
      </select>
      <select
        aria-label="Template"
        className={SELECT}
        value={chosen}
        onChange={({ target }) => set({ name: target.value })}
      >
        <option value="">All templates</option>
        {names.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <span className="w-64 max-sm:grow">
        <input
          data-filter
          type="search"
          aria-label="Text of the error"
          placeholder="Text of the error"
          className={`${INPUT} h-8`}
          value={typed}
          onChange={({ target }) => {
            setTyped(target.value);
            // The cross of the field empties it.
            if (target.value === '') set({ error: '' });
          }}
        />
      </span>
      <Button type="submit">Search</Button>
      {FILTERS.some((name) => search.has(name)) && (
        <Button look="quiet" onClick={() => set({ updated_after: '', name: '', error: '' })}>
          Clear
        </Button>
      )}
    </form>
  );
}
