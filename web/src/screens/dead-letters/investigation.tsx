import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Link } from 'react-router';
import { api } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import type { DeadLetterDetails, Letter, ResolveDeadLetterRequest } from '../../api/types.ts';
import { useLinks } from '../../frame/namespace.ts';
import { type Act, ActDialog } from '../../parts/act-dialog.tsx';
import { Button, Problem } from '../../parts/controls.tsx';
import { useDraft } from '../../parts/draft.ts';
import { useOperator } from '../../parts/operator.tsx';
import { State } from '../../parts/state.tsx';
import { Id, Time } from '../../parts/text.tsx';
import { counted, durationText } from '../../parts/words.ts';
import { REASONS, STATUSES, useLetter } from './letter.ts';

const MINUTE_MS = 60_000;

/** One dead letter: its task, its error, the remarks, and the possible actions. */
export function Investigation({ id, onClose }: { id: string; onClose(): void }) {
  const { data, error } = useLetter(id);
  return (
    <aside
      aria-label="Investigation"
      className="rounded-lg border border-line bg-surface xl:sticky xl:top-16 xl:max-h-[calc(100vh-88px)] xl:w-[420px] xl:shrink-0 xl:overflow-y-auto"
    >
      <div className="flex items-center justify-between gap-2 border-b border-line py-2 pr-2 pl-4">
        <h2 className="truncate font-semibold">
          {data ? `${data.namespace_name}/${data.task_name}` : 'Investigation'}
        </h2>
        <Button look="quiet" className="px-2" aria-label="Close" onClick={onClose}>
          ×
        </Button>
      </div>
      {error && !data && (
        <div className="p-4">
          <Problem error={error} />
        </div>
      )}
      {data && <Body letter={data} />}
    </aside>
  );
}

function Body({ letter }: { letter: DeadLetterDetails }) {
  const link = useLinks();
  const open = letter.resolution_status === 'pending';
  const { task_snapshot: snapshot } = letter;
  const failed = snapshot.steps.filter(({ error }) => error !== undefined);
  return (
    <>
      <Acts letter={letter} open={open} />
      <dl className="grid grid-cols-[110px_1fr] gap-y-1.5 border-b border-line px-4 py-3 text-sm">
        <Fact name="Task">
          <Link className="text-accent hover:underline" to={link(`tasks/${letter.task_uuid}`)}>
            Open the task
          </Link>{' '}
          ·{' '}
          <Link className="text-accent hover:underline" to={link(`tasks/${letter.task_uuid}`, { view: 'history' })}>
            History
          </Link>{' '}
          · <Id id={letter.task_uuid} what="task id" />
        </Fact>
        <Fact name="State">
          {letter.current_state ? <State state={letter.current_state} /> : 'deleted'}
          {letter.has_moved_on && <span className="ml-2 text-faint">has moved on</span>}
        </Fact>
        <Fact name="Reason">{REASONS[letter.dlq_reason] ?? letter.dlq_reason}</Fact>
        <Fact name="Added">
          <Time at={letter.dlq_timestamp} />
        </Fact>
        {snapshot.threshold_minutes !== null && (
          <Fact name="Limit">{durationText(snapshot.threshold_minutes * MINUTE_MS)}</Fact>
        )}
        {letter.entries_of_task > 1 && <Fact name="Entries">{letter.entries_of_task} of this task</Fact>}
        {!open && (
          <Fact name="Outcome">
            {STATUSES[letter.resolution_status]} by {letter.resolved_by ?? 'tasker'}{' '}
            <Time at={letter.resolution_timestamp} />
            {letter.resolution_notes && <span className="block text-soft">{letter.resolution_notes}</span>}
          </Fact>
        )}
      </dl>
      <Part title="Cause">
        <p className="text-sm break-words">{letter.cause}</p>
        {failed.map(({ name, error, error_type: type, attempts, max_attempts: most }) => (
          <div key={name} className="mt-2 rounded-md border border-line p-2">
            <p className="text-xs text-soft">
              <span className="font-medium text-ink">{name}</span> {type && <span className="font-mono">{type}</span>} ·
              attempt {attempts} of {most}
            </p>
            <p className="mt-1 font-mono text-xs break-words whitespace-pre-wrap">{error}</p>
          </div>
        ))}
      </Part>
      <Notes letter={letter} />
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-faint">{name}</dt>
      <dd className="min-w-0">{children}</dd>
    </>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title} className="border-b border-line px-4 py-3 last:border-b-0">
      <h3 className="mb-1.5 text-xs text-faint">{title}</h3>
      {children}
    </section>
  );
}

function Acts({ letter, open }: { letter: Letter; open: boolean }) {
  const [act, setAct] = useState<Act>();
  const lacking = useLacking();
  const id = letter.dlq_entry_uuid;
  const resolve = (status: ResolveDeadLetterRequest['status'], title: string, verb: string): Act => ({
    title,
    verb,
    preview: 'The entry is closed. Its task does not change: to run or end it, use Redrive or the page of the task.',
    needsReason: true,
    run: ({ reason, by }) => api.deadLetters.resolve(id, { status, notes: reason, reason, by }),
  });
  const redrive: Act = {
    title: 'Redrive the task',
    verb: 'Redrive',
    preview:
      'The failed steps run again with a full set of attempts, and the entry is closed. A task that had ended is reopened.',
    run: (said) => api.deadLetters.redrive(id, said),
  };
  return (
    <div className="flex flex-wrap items-center gap-2 border-b border-line px-4 py-3">
      <Button
        look="primary"
        disabled={!open}
        lacking={lacking(api.deadLetters.redrive)}
        onClick={() => setAct(redrive)}
      >
        Redrive
      </Button>
      <Button
        disabled={!open}
        lacking={lacking(api.deadLetters.resolve)}
        onClick={() => setAct(resolve('manually_resolved', 'Resolve the dead letter', 'Resolve'))}
      >
        Resolve
      </Button>
      <Button
        look="danger"
        disabled={!open}
        lacking={lacking(api.deadLetters.resolve)}
        onClick={() => setAct(resolve('permanently_failed', 'Give up the dead letter', 'Give up'))}
      >
        Give up
      </Button>
      <Assign letter={letter} open={open} />
      <Priority letter={letter} open={open} />
      {act && <ActDialog act={act} onClose={() => setAct(undefined)} />}
    </div>
  );
}

function Assign({ letter, open }: { letter: Letter; open: boolean }) {
  const queries = useQueryClient();
  const lacking = useLacking()(api.deadLetters.assign);
  const { subject, said } = useOperator();
  const [name, setName, clear] = useDraft<string | null>(`assign.${letter.dlq_entry_uuid}`, null);
  const assign = useMutation({
    mutationFn: (to: string | null) => api.deadLetters.assign(letter.dlq_entry_uuid, { to, by: said().by }),
    onSuccess: () => {
      clear();
      return queries.invalidateQueries();
    },
  });
  const shown = name ?? letter.assignee ?? '';
  const changed = shown.trim() !== (letter.assignee ?? '');
  return (
    <form
      className="flex w-full items-center gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        assign.mutate(shown.trim() || null);
      }}
    >
      <input
        aria-label="Assignee"
        placeholder="No assignee"
        maxLength={128}
        disabled={!open || lacking !== undefined}
        title={lacking && `needs the permission ${lacking}`}
        className="h-8 min-w-0 grow rounded-md border border-edge bg-surface px-2 text-sm text-ink placeholder:text-faint disabled:opacity-60"
        value={shown}
        onChange={({ target }) => setName(target.value)}
      />
      <Button type="submit" lacking={lacking} disabled={!open || !changed || assign.isPending}>
        Assign
      </Button>
      {subject !== null && letter.assignee !== subject && (
        <Button look="quiet" lacking={lacking} disabled={!open} onClick={() => assign.mutate(subject)}>
          To me
        </Button>
      )}
      {assign.error && <Problem error={assign.error} />}
    </form>
  );
}

const MOST_URGENT = 100;

function isPriority(text: string): boolean {
  return /^-?\d+$/.test(text.trim()) && Math.abs(Number(text)) <= MOST_URGENT;
}

/** Letters with a higher priority come first in the list. */
function Priority({ letter, open }: { letter: Letter; open: boolean }) {
  const queries = useQueryClient();
  const lacking = useLacking()(api.deadLetters.assign);
  const { said } = useOperator();
  const [typed, setTyped, clear] = useDraft<string | null>(`priority.${letter.dlq_entry_uuid}`, null);
  const text = typed ?? String(letter.priority);
  const set = useMutation({
    mutationFn: () => api.deadLetters.assign(letter.dlq_entry_uuid, { priority: Number(text), by: said().by }),
    onSuccess: () => {
      clear();
      return queries.invalidateQueries();
    },
  });
  const canSet = open && isPriority(text) && Number(text) !== letter.priority && !set.isPending;
  return (
    <form
      className="flex w-full flex-wrap items-center gap-2 text-sm"
      onSubmit={(event) => {
        event.preventDefault();
        if (canSet) set.mutate();
      }}
    >
      <label htmlFor={`priority ${letter.dlq_entry_uuid}`} className="text-faint">
        Priority
      </label>
      <input
        id={`priority ${letter.dlq_entry_uuid}`}
        type="number"
        min={-MOST_URGENT}
        max={MOST_URGENT}
        disabled={!open || lacking !== undefined}
        title={lacking && `needs the permission ${lacking}`}
        aria-invalid={!isPriority(text)}
        className="h-8 w-20 rounded-md border border-edge bg-surface px-2 text-sm text-ink tabular-nums aria-invalid:border-s-red disabled:opacity-60"
        value={text}
        onChange={({ target }) => setTyped(target.value)}
      />
      <span className="grow text-xs text-faint">
        {-MOST_URGENT} to {MOST_URGENT}, the highest first
      </span>
      <Button type="submit" lacking={lacking} disabled={!canSet}>
        Set
      </Button>
      {set.error && <Problem error={set.error} />}
    </form>
  );
}

function Notes({ letter }: { letter: DeadLetterDetails }) {
  const queries = useQueryClient();
  const lacking = useLacking()(api.deadLetters.note);
  const { said } = useOperator();
  const [note, setNote, clear] = useDraft(`note.${letter.dlq_entry_uuid}`, '');
  const add = useMutation({
    mutationFn: () => api.deadLetters.note(letter.dlq_entry_uuid, { note: note.trim(), by: said().by }),
    onSuccess: () => {
      clear();
      return queries.invalidateQueries();
    },
  });
  return (
    <Part title={letter.notes.length > 0 ? counted(letter.notes.length, 'note') : 'Notes'}>
      <ol>
        {letter.notes.map(({ at, author, note: text }) => (
          <li key={`${at} ${text}`} className="mb-3 text-sm">
            <p className="text-xs text-faint">
              <span className="font-medium text-soft">{author}</span> <Time at={at} />
            </p>
            <p className="break-words whitespace-pre-wrap">{text}</p>
          </li>
        ))}
      </ol>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <textarea
          aria-label="Note"
          placeholder="What did you find?"
          rows={3}
          maxLength={10_000}
          disabled={lacking !== undefined}
          title={lacking && `needs the permission ${lacking}`}
          className="block w-full rounded-md border border-edge bg-surface p-2 text-sm text-ink placeholder:text-faint disabled:opacity-60"
          value={note}
          onChange={({ target }) => setNote(target.value)}
        />
        {add.error && (
          <div className="mt-2">
            <Problem error={add.error} />
          </div>
        )}
        <div className="mt-2 flex justify-end">
          <Button type="submit" lacking={lacking} disabled={note.trim() === '' || add.isPending}>
            Add note
          </Button>
        </div>
      </form>
    </Part>
  );
}
