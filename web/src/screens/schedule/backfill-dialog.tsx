import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api } from '../../api/client.ts';
import type { BackfilledDue } from '../../api/types.ts';
import { Problem } from '../../parts/controls.tsx';
import { useDraft } from '../../parts/draft.ts';
import { TextField } from '../../parts/form/field.tsx';
import { FormDialog } from '../../parts/form/form-dialog.tsx';
import { counted, dateText, numberText, timeOf } from '../../parts/words.ts';

const SHOWN = 50;
const STALE_MS = 30_000;

/** Creates the tasks of past due times, after listing these. */
export function BackfillDialog({ name, onClose }: { name: string; onClose(): void }) {
  const [draft, setDraft, forget] = useDraft(`backfill ${name}`, { from: '', to: '' });
  const [asked, setAsked] = useState({ from: isoOf(draft.from), to: isoOf(draft.to) });
  const complete = asked.from !== '' && asked.to !== '';
  const preview = useQuery({
    queryKey: ['backfill', name, asked],
    queryFn: ({ signal }) => api.schedules.backfill(name, { ...asked, dry_run: true }, { signal }),
    enabled: complete,
    staleTime: STALE_MS,
    retry: false,
  });
  const planned = preview.data?.filter(({ outcome }) => outcome === 'planned').length;
  const change = (next: typeof draft) => {
    setDraft(next);
    setAsked({ from: isoOf(next.from), to: isoOf(next.to) });
  };
  return (
    <FormDialog
      title={`Backfill ${name}`}
      verb={planned ? `Create ${counted(planned, 'task')}` : 'Create the tasks'}
      complete={complete && !!planned}
      onClose={onClose}
      send={async (said) => {
        await api.schedules.backfill(name, { ...asked, ...said });
        forget();
      }}
    >
      <p className="text-soft">Creates a task for each due time of a past period that has none yet.</p>
      <div className="grid gap-3 sm:grid-cols-2">
        <TextField
          label="From"
          type="datetime-local"
          value={draft.from}
          onChange={(from) => change({ ...draft, from })}
        />
        <TextField label="To" type="datetime-local" value={draft.to} onChange={(to) => change({ ...draft, to })} />
      </div>
      {preview.error && complete && <Problem error={preview.error} />}
      <div aria-live="polite" className="min-h-5">
        {complete && preview.data && <Dues dues={preview.data} planned={planned ?? 0} />}
      </div>
    </FormDialog>
  );
}

/** The fields are in the browser's time zone. */
function isoOf(local: string): string {
  const time = new Date(local);
  return local === '' || Number.isNaN(time.getTime()) ? '' : time.toISOString();
}

function Dues({ dues, planned }: { dues: readonly BackfilledDue[]; planned: number }) {
  if (dues.length === 0) return <p className="text-soft">No due time is in this period.</p>;
  const existing = dues.length - planned;
  return (
    <>
      <p className="text-soft">
        {counted(planned, 'task')} to create{existing > 0 ? `, ${numberText(existing)} exist already` : ''}
      </p>
      <ol aria-label="Due times" className="mt-2 max-h-48 overflow-y-auto rounded-md border border-line px-3 py-1">
        {dues.slice(0, SHOWN).map(({ due_at: at, outcome }) => (
          <li key={at} className="flex justify-between gap-4 py-0.5 tabular-nums">
            <time dateTime={at}>{dateText(timeOf(at))}</time>
            <span className="text-faint">{outcome === 'planned' ? 'new' : outcome}</span>
          </li>
        ))}
        {dues.length > SHOWN && <li className="text-faint">and {numberText(dues.length - SHOWN)} more</li>}
      </ol>
    </>
  );
}
