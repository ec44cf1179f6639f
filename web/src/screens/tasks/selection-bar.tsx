import { useState } from 'react';
import { cancelTask, retryTask } from '../../api/acts.ts';
import { useLacking } from '../../api/me.tsx';
import type { Task } from '../../api/types.ts';
import { type Act, ActDialog } from '../../parts/act-dialog.tsx';
import { Button } from '../../parts/controls.tsx';
import { counted } from '../../parts/words.ts';
import { hasEnded } from '../task/task-words.ts';

interface SelectionBarProps {
  tasks: readonly Task[];
  onClear(): void;
}

/** The acts on the selected tasks. */
export function SelectionBar({ tasks, onClear }: SelectionBarProps) {
  const [act, setAct] = useState<Act>();
  const lacking = useLacking();
  const failed = tasks.filter(({ failed_steps }) => failed_steps > 0);
  const open = tasks.filter(({ status }) => !hasEnded(status));
  const each = async (chosen: readonly Task[], run: (uuid: string) => Promise<unknown>) => {
    for (const { task_uuid } of chosen) await run(task_uuid);
    onClear();
  };
  const retry: Act = {
    title: `Retry ${counted(failed.length, 'task')}`,
    verb: `Retry ${counted(failed.length, 'task')}`,
    preview: `The failed steps run again with a full set of attempts: ${stepsOf(failed)}. Completed steps keep their results.`,
    run: (said) => each(failed, (uuid) => retryTask(uuid, said)),
  };
  const cancel: Act = {
    title: `Cancel ${counted(open.length, 'task')}`,
    verb: `Cancel ${counted(open.length, 'task')}`,
    preview: 'Their open steps are cancelled. Steps that are running now finish, but their results are dropped.',
    danger: true,
    silent: true,
    run: () => each(open, cancelTask),
  };
  return (
    <section
      aria-label="Selected tasks"
      className="sticky bottom-4 mx-auto mt-4 flex w-fit items-center gap-2 rounded-xl border border-edge bg-raised px-3 py-2 shadow-lg"
    >
      <span className="px-1 text-sm text-soft">{counted(tasks.length, 'task')} selected</span>
      <Button
        look="primary"
        lacking={lacking('PATCH /v1/tasks/{uuid}/workflow_steps/{step_uuid}')}
        disabled={failed.length === 0}
        onClick={() => setAct(retry)}
      >
        Retry {failed.length > 0 && failed.length}
      </Button>
      <Button
        look="danger"
        lacking={lacking('DELETE /v1/tasks/{uuid}')}
        disabled={open.length === 0}
        onClick={() => setAct(cancel)}
      >
        Cancel {open.length > 0 && open.length}
      </Button>
      <Button look="quiet" onClick={onClear}>
        Clear
      </Button>
      {act && <ActDialog act={act} onClose={() => setAct(undefined)} />}
    </section>
  );
}

function stepsOf(tasks: readonly Task[]): string {
  return counted(
    tasks.reduce((sum, { failed_steps }) => sum + failed_steps, 0),
    'step',
  );
}
