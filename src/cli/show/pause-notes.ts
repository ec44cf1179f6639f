import type { Task } from '../../app/json/views.ts';
import { describePause } from '../pause/describe.ts';
import { note } from './output.ts';

/** Informs the user if a task that an action continues is paused, and names the commands that end the pauses. */
export function notePauses({ paused, completedAt }: Pick<Task, 'paused' | 'completedAt'>): void {
  if (completedAt !== null) return;
  for (const pause of paused ?? []) {
    note(
      `paused: ${describePause(pause, Date.now())}; no step starts until \`npx tasker ${pause.scope} resume ${pause.target}\``,
    );
  }
}
