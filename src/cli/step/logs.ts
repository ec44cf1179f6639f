import { snakeKeys } from '../../app/json/views.ts';
import type { AttemptLog } from '../../app/tasker.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { oneLine } from '../../logging/terminal/shown-text.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted } from '../show/text.ts';
import { withTasker } from '../with-tasker.ts';
import { type ElementOption, stepOf } from './element.ts';

interface StepLogsOptions extends GlobalOptions, ElementOption {
  attempt?: number;
}

/** `tasker step logs`: shows the lines that the handler of a step logged. */
export async function stepLogs(task: string, given: string, options: StepLogsOptions): Promise<void> {
  const step = stepOf(given, options);
  await withTasker(options, {}, async (tasker) => {
    const logs = await tasker.getStepLogs(task, step);
    const wanted = logs.filter(({ attempt }) => options.attempt === undefined || attempt === options.attempt);
    if (options.json) return printJson(wanted.map(snakeKeys));
    if (wanted.length > 0) return print(wanted.map(attemptText).join('\n\n'));
    if (logs.length > 0) {
      const others = logs.map(({ attempt }) => attempt).join(', ');
      return note(`no log lines were kept of attempt ${options.attempt}; attempt ${others} has lines`);
    }
    const { name } = await tasker.getStep(task, step);
    note(
      `no log lines were kept of step ${name}: its handler logged nothing, or logs.keep does not include its attempts`,
    );
  });
}

/** `tasker task logs`: shows the lines that the handlers of all steps logged. */
export async function taskLogs(task: string, { contains, ...options }: GlobalOptions & { contains?: string }) {
  await withTasker(options, {}, async (tasker) => {
    const { lines, hasEarlier } = await tasker.getTaskLogs(task, { contains });
    if (options.json) return printJson({ lines, has_earlier: hasEarlier });
    for (const line of lines) print(`${lineText(line)} ${pc.dim(`${line.step}, attempt ${line.attempt}`)}`);
    if (lines.length === 0) note(`no log lines ${contains === undefined ? 'were kept' : `contain ${contains}`}`);
    if (hasEarlier) note('there are earlier lines; `npx tasker step logs` shows those of one step');
  });
}

function attemptText({ attempt, lines, dropped }: AttemptLog): string {
  const head = pc.dim(`attempt ${attempt}${dropped > 0 ? `, without ${counted(dropped, 'earlier line')}` : ''}`);
  return [head, ...lines.map(lineText)].join('\n');
}

const LEVELS: Record<string, (text: string) => string> = { error: pc.red, warn: pc.yellow, info: pc.green };

function lineText({ at, level, message, fields }: AttemptLog['lines'][number]): string {
  const shown = Object.entries(fields).map(
    ([key, value]) => ` ${pc.dim(`${key}=`)}${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return oneLine(`${pc.dim(at)} ${(LEVELS[level] ?? pc.dim)(level.padEnd(5))} ${message}${shown.join('')}`);
}
