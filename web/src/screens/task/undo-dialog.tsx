import { useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';
import type { Undo } from '../../api/types.ts';
import { Problem } from '../../parts/controls.tsx';
import { FormDialog } from '../../parts/form/form-dialog.tsx';
import { State } from '../../parts/state.tsx';
import { counted } from '../../parts/words.ts';

type Row = Undo['steps'][number];

const REASONS: Readonly<Record<NonNullable<Row['reason']>, string>> = {
  no_undo: 'stays: its template has no undo for it',
  not_started: 'has nothing to undo: it never started',
  not_completed: 'stays: it did not complete',
  resolved_manually: 'stays: it was resolved by hand, so check it yourself',
  already_undone: 'was undone before',
  child_abandoned: 'blocks the undo: its child task was abandoned',
  child_deleted: 'blocks the undo: its child task was deleted',
};

/** Shows which steps would be undone, in their order, and asks for confirmation. */
export function UndoDialog({ uuid, onClose }: { uuid: string; onClose(): void }) {
  const { data, error } = useQuery({
    queryKey: ['undo-preview', uuid],
    queryFn: () => api.tasks.undo(uuid, { dry_run: true }),
    staleTime: 0,
    gcTime: 0,
    retry: false,
  });
  const steps = data?.steps ?? [];
  const count = steps.filter(({ undone }) => undone).length;
  return (
    <FormDialog
      wide
      title="Undo the task"
      verb={data ? `Undo ${counted(count, 'step')}` : 'Undo'}
      danger
      complete={data !== undefined}
      command={`npx tasker task undo ${uuid}`}
      send={(said) => api.tasks.undo(uuid, said)}
      onClose={onClose}
    >
      {error && <Problem error={error} />}
      <p className="text-soft">
        {data
          ? 'Open steps are cancelled first. Then the steps below are undone in this order, and in parallel where the task was parallel.'
          : 'Finding the steps that are undone…'}
      </p>
      {steps.length > 0 && (
        <ol aria-label="Steps of the undo" className="max-h-56 overflow-y-auto rounded-md border border-line">
          {steps.map((one) => (
            <li key={one.step} className="flex items-center gap-3 border-b border-line px-3 py-1.5 last:border-b-0">
              <span className={one.undone ? 'font-medium' : 'text-soft'}>{one.step}</span>
              <span className="grow text-soft">
                {one.undone ? `is undone by ${one.handler}` : REASONS[one.reason!]}
              </span>
              <State state={one.state} />
            </li>
          ))}
        </ol>
      )}
    </FormDialog>
  );
}
