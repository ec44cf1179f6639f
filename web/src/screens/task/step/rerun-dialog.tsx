import { useQuery } from '@tanstack/react-query';
import { api } from '../../../api/client.ts';
import type { Rerun } from '../../../api/types.ts';
import { Problem } from '../../../parts/controls.tsx';
import { FormDialog } from '../../../parts/form/form-dialog.tsx';
import { State } from '../../../parts/state.tsx';
import { counted, runAgain } from '../../../parts/words.ts';
import { quoted } from './copy-as.tsx';

const CHANGES: Readonly<Record<Rerun['steps'][number]['change'], string>> = {
  again: 'runs again',
  removed: 'is removed; it is created again if a decision chooses it again',
  returned: 'returns to pending',
};

interface RerunDialogProps {
  uuid: string;
  step: string;
  onClose(): void;
}

/** Shows which steps would run again, and asks for confirmation. */
export function RerunDialog({ uuid, step, onClose }: RerunDialogProps) {
  const { data, error } = useQuery({
    queryKey: ['rerun-preview', uuid, step],
    queryFn: () => api.tasks.rerun(uuid, { from: step, dry_run: true }),
    staleTime: 0,
    gcTime: 0,
  });
  const steps = data?.steps ?? [];
  const again = steps.filter(({ change }) => change !== 'removed');
  const risky = steps.filter(({ retryable, state }) => !retryable && state !== 'pending');
  return (
    <FormDialog
      wide
      title={`Rerun from ${step}`}
      verb={data ? `Rerun ${counted(again.length, 'step')}` : 'Rerun'}
      danger
      complete={data !== undefined}
      command={`npx tasker task rerun ${uuid} --from ${quoted(step)}`}
      send={(said) => api.tasks.rerun(uuid, { from: step, ...said })}
      onClose={onClose}
    >
      {error && <Problem error={error} />}
      <p className="text-soft">
        {data
          ? `${runAgain(again.length, 'step')}, even though the task may have ended. Their results are replaced; the history keeps the old attempts.`
          : 'Finding the steps that run again…'}
      </p>
      {risky.length > 0 && (
        <p className="rounded-md border-l-2 border-s-amber bg-t-amber px-3 py-2">
          {risky.map((one) => one.step).join(', ')} must not be retried by {risky.length === 1 ? 'its' : 'their'}{' '}
          template. Check that a second run does no harm.
        </p>
      )}
      {steps.length > 0 && (
        <ul aria-label="Steps that run again" className="max-h-56 overflow-y-auto rounded-md border border-line">
          {steps.map((one) => (
            <li key={one.step} className="flex items-center gap-3 border-b border-line px-3 py-1.5 last:border-b-0">
              <span className="font-medium">{one.step}</span>
              <span className="grow text-soft">{CHANGES[one.change]}</span>
              <State state={one.state} />
            </li>
          ))}
        </ul>
      )}
    </FormDialog>
  );
}
