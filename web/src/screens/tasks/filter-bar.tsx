import { useState } from 'react';
import { Link, useSearchParams } from 'react-router';
import { useTemplates } from '../../api/templates.ts';
import { Button } from '../../parts/controls.tsx';
import { useDraft } from '../../parts/draft.ts';
import { lookOf } from '../../parts/state.tsx';
import { boundText } from '../../parts/words.ts';
import { type Chip, chipsOf, FIELDS, SEGMENTS } from './filters.ts';
import type { TaskCount } from './state-counts.ts';

/** The groups of states, with the numbers of tasks in them. */
export function Segments({ countOf }: { countOf(states: readonly string[]): TaskCount | undefined }) {
  const [search] = useSearchParams();
  const state = search.get('state') ?? '';
  return (
    <nav className="mb-3 flex gap-1 overflow-x-auto" aria-label="State">
      {SEGMENTS.map(({ label, states }) => {
        const to = new URLSearchParams(search);
        to.delete('cursor');
        if (states.length > 0) to.set('state', states.join(','));
        else to.delete('state');
        const current = state === states.join(',');
        const count = countOf(states);
        return (
          <Link
            key={label}
            to={{ search: to.toString() }}
            aria-current={current ? 'true' : undefined}
            className={`flex h-8 items-center gap-1.5 rounded-md px-2.5 text-sm whitespace-nowrap ${current ? 'bg-select font-medium' : 'text-soft hover:bg-hover'}`}
          >
            {label}
            {count && <span className="text-xs text-faint tabular-nums">{boundText(count.count, count.atLeast)}</span>}
          </Link>
        );
      })}
    </nav>
  );
}

/** The filters of the list as chips, and a form that adds one. */
export function FilterBar() {
  const [search, setSearch] = useSearchParams();
  const chips = chipsOf(search);
  const usable = FIELDS.filter(({ name }) => !search.has(name));
  const change = (edit: (search: URLSearchParams) => void) =>
    setSearch((now) => {
      now.delete('cursor');
      edit(now);
      return now;
    });
  return (
    <div className="mb-4 flex flex-wrap items-center gap-2">
      {chips.map((chip) => (
        <FilterChip key={chip.name} chip={chip} onRemove={() => change((now) => now.delete(chip.name))} />
      ))}
      {usable.length > 0 && (
        <AddFilter fields={usable} onAdd={(name, value) => change((now) => now.set(name, value))} />
      )}
      {chips.length > 1 && (
        <Button
          look="quiet"
          className="h-7 px-2"
          onClick={() =>
            change((now) => {
              for (const { name } of chips) now.delete(name);
            })
          }
        >
          Clear all
        </Button>
      )}
    </div>
  );
}

function FilterChip({ chip, onRemove }: { chip: Chip; onRemove(): void }) {
  return (
    <span className="inline-flex h-7 max-w-full items-center gap-1 rounded-md border border-edge bg-surface pl-2 text-sm">
      <span className="truncate">{chip.text}</span>
      <button
        type="button"
        className="grid size-6 place-items-center rounded text-faint hover:text-ink"
        aria-label={`Remove the filter ${chip.text}`}
        onClick={onRemove}
      >
        ×
      </button>
    </span>
  );
}

interface AddFilterProps {
  fields: typeof FIELDS;
  onAdd(name: string, value: string): void;
}

function AddFilter({ fields, onAdd }: AddFilterProps) {
  const [chosen, setChosen] = useState('');
  const [value, setValue] = useDraft('filter', '');
  const { data } = useTemplates(60_000);
  const names = [...new Set(data?.templates.map(({ name }) => name))];
  const field = fields.find(({ name }) => name === chosen) ?? fields[0]!;
  return (
    <form
      className="flex h-7 items-stretch overflow-hidden rounded-md border border-dashed border-edge text-sm focus-within:border-solid focus-within:border-accent"
      onSubmit={(event) => {
        event.preventDefault();
        if (value.trim() !== '') onAdd(field.name, value.trim());
        setValue('');
        setChosen('');
      }}
    >
      <select
        aria-label="Filter by"
        className="bg-transparent pl-2 text-soft outline-none"
        value={field.name}
        onChange={({ target }) => setChosen(target.value)}
      >
        {fields.map(({ name, label }) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </select>
      {field.values ? (
        <select
          aria-label={`${field.label} to filter by`}
          className="w-40 bg-transparent px-1 text-soft outline-none"
          value=""
          onChange={({ target }) => {
            onAdd(field.name, target.value);
            setChosen('');
          }}
        >
          <option value="" disabled>
            {field.placeholder}
          </option>
          {field.values.map((state) => (
            <option key={state} value={state}>
              {lookOf(state).word}
            </option>
          ))}
        </select>
      ) : (
        <input
          data-filter
          list={field.name === 'name' ? 'template-names' : undefined}
          aria-label={`${field.label} to filter by`}
          placeholder={`such as ${field.placeholder}`}
          className="w-48 bg-transparent px-2 outline-none placeholder:text-faint"
          value={value}
          onChange={({ target }) => setValue(target.value)}
        />
      )}
      <datalist id="template-names">
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </form>
  );
}
