import { pauseJson } from '../../app/json/acts.ts';
import type { Pause, PauseResult, PauseTarget } from '../../app/operator-types.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { note, printJson } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';
import { circumstances, describePause } from './describe.ts';

type PauseOptions = GlobalOptions & OperatorFlags;

/** `tasker task|template|namespace pause`. If the target is already paused, changes nothing and exits with 0. */
export function pausing(scope: Pause['scope']) {
  return acting(scope, 'pause', (result) => {
    const { changed, pause } = result;
    if (!changed && pause) return `${nameOf(result)} is already paused, ${circumstances(pause, Date.now())}`;
    return `paused ${nameOf(result)}: ${counted(result.steps, 'ready step')} ${result.steps === 1 ? 'waits' : 'wait'}, running steps finish`;
  });
}

/** `tasker task|template|namespace resume`. If the target is not paused, changes nothing and exits with 0. */
export function resuming(scope: Pause['scope']) {
  return acting(scope, 'resume', (result) => {
    const done = result.changed ? `resumed ${nameOf(result)}` : `${nameOf(result)} is not paused`;
    if (result.others.length === 0) {
      return result.changed ? `${done}: ${counted(result.steps, 'ready step')} can start` : done;
    }
    const others = result.others.map((other) => `  ${describePause(other, Date.now())}`);
    return [`${done}; these pauses still cover it or a part of it:`, ...others].join('\n');
  });
}

function nameOf({ scope, target }: PauseResult): string {
  return `${scope} ${target}`;
}

function acting(scope: Pause['scope'], verb: 'pause' | 'resume', describe: (result: PauseResult) => string) {
  return async (name: string, options: PauseOptions): Promise<void> => {
    const { json } = options;
    await withTasker(options, {}, async (tasker) => {
      const result = await tasker[verb]({ [scope]: name } as PauseTarget, operatorFrom(options));
      if (!json) return note(describe(result));
      printJson(pauseJson(result));
    });
  };
}
