import type { Command } from 'commander';
import type { Pause } from '../../app/operator-types.ts';
import { addOperator } from '../operator.ts';
import { lazily } from '../options.ts';

/** `tasker pause …`. The commands that pause and resume are under `task`, `template` and `namespace`. */
export function addPauseCommands(program: Command): void {
  const pause = program.command('pause').description('list pauses; `tasker task|template|namespace pause` starts one');
  pause
    .command('list')
    .description('list the tasks, templates and namespaces that are paused: by whom, since when, and why')
    .action(lazily(async () => (await import('./list.ts')).pauseList));
}

const ARGUMENTS: Record<Pause['scope'], string> = {
  task: '<uuid>',
  template: '<name>',
  namespace: '<name>',
};
const COVERS: Record<Pause['scope'], string> = {
  task: 'a task',
  template: 'a template (namespace/name@version; without a version: all versions, including later ones)',
  namespace: 'a namespace with all its templates, including later ones',
};

/** Adds `pause` and `resume` to the commands of a noun. */
export function addPausing(noun: Command, scope: Pause['scope']): void {
  addOperator(noun.command(`pause ${ARGUMENTS[scope]}`))
    .description(`pause ${COVERS[scope]}: running steps finish, no other step starts until it is resumed`)
    .action(lazily(async () => (await import('./pause-or-resume.ts')).pausing(scope)));
  addOperator(noun.command(`resume ${ARGUMENTS[scope]}`))
    .description(`end the pause of ${scope === 'task' ? 'a task' : `a ${scope}`}`)
    .action(lazily(async () => (await import('./pause-or-resume.ts')).resuming(scope)));
}
