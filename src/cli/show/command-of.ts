import type { TaskFilter } from '../../app/operator-types.ts';
import { conditionArguments } from '../conditions.ts';

/** Returns a command with the options of a filter, quoted for a shell. `acts`: whether the command acts on tasks. */
export function commandOf(command: string, filter: TaskFilter, { acts }: { acts: boolean }): string {
  const flags = { namespace: '-n', reason: acts ? '--task-reason' : '--reason' } as const;
  return ['npx tasker', command, ...conditionArguments(filter, flags)].join(' ');
}
