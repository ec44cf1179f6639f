import { useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';
import { Problem } from '../../parts/controls.tsx';
import { useDraft } from '../../parts/draft.ts';
import { ChoiceField, TextField } from '../../parts/form/field.tsx';
import { FormDialog } from '../../parts/form/form-dialog.tsx';
import { counted } from '../../parts/words.ts';

interface ReplayDialogProps {
  groups: readonly string[];
  group: string;
  onClose(): void;
}

/** Delivers past events to a group again, after counting them. */
export function ReplayDialog({ groups, group, onClose }: ReplayDialogProps) {
  const [draft, setDraft, forget] = useDraft(`replay ${group}`, { group, name: '', task: '', after: '', before: '' });
  const filter = {
    group: draft.group,
    ...(draft.name.trim() && { name: draft.name.trim() }),
    ...(draft.task.trim() && { task: draft.task.trim() }),
    ...(isoOf(draft.after) && { after: isoOf(draft.after) }),
    ...(isoOf(draft.before) && { before: isoOf(draft.before) }),
  };
  const preview = useQuery({
    queryKey: ['replay', filter],
    queryFn: ({ signal }) => api.events.replay({ ...filter, dry_run: true }, { signal }),
    staleTime: 0,
    retry: false,
  });
  const count = preview.data?.would_replay;
  const change = (part: Partial<typeof draft>) => setDraft({ ...draft, ...part });
  return (
    <FormDialog
      title="Replay events"
      verb={count === undefined ? 'Replay …' : `Replay ${counted(count, 'event')}`}
      complete={!!count}
      onClose={onClose}
      send={async (said) => {
        await api.events.replay({ ...filter, ...said });
        forget();
      }}
    >
      <p className="text-soft">The group receives these events again. Its handlers must handle repeated events.</p>
      <ChoiceField
        label="Group"
        required
        value={draft.group}
        options={groups.map((name) => [name, name] as const)}
        onChange={(next) => change({ group: next })}
      />
      <div className="grid gap-3 sm:grid-cols-2">
        <TextField
          label="Events"
          placeholder="payment.*"
          hint="A name or a pattern. Empty means all of the group."
          value={draft.name}
          onChange={(name) => change({ name })}
        />
        <TextField label="Task" hint="The id of one task." value={draft.task} onChange={(task) => change({ task })} />
        <TextField label="After" type="datetime-local" value={draft.after} onChange={(after) => change({ after })} />
        <TextField
          label="Before"
          type="datetime-local"
          value={draft.before}
          onChange={(before) => change({ before })}
        />
      </div>
      <div aria-live="polite" className="min-h-5">
        {preview.error ? (
          <Problem error={preview.error} />
        ) : (
          count !== undefined && (
            <p className={count === 0 ? 'text-s-amber' : 'text-soft'}>
              {count === 0 ? 'No event matches.' : `${counted(count, 'event')} will be delivered again.`}
            </p>
          )
        )}
      </div>
    </FormDialog>
  );
}

/** The fields are in the browser's time zone. */
function isoOf(local: string): string {
  const time = new Date(local);
  return local === '' || Number.isNaN(time.getTime()) ? '' : time.toISOString();
}
