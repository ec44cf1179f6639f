import { scheduleJson } from '../../app/json/acts.ts';
import type { Schedule, ScheduleChange, ScheduleOptions } from '../../app/operator-types.ts';
import type { Tasker } from '../../app/tasker.ts';
import { isTaskerError, TaskerError } from '../../errors.ts';
import { confirmed } from '../confirm.ts';
import { type OperatorFlags, operatorFrom } from '../operator.ts';
import type { GlobalOptions } from '../options.ts';
import { readObject } from '../read-input.ts';
import { note, print, printJson } from '../show/output.ts';
import { withTasker } from '../with-tasker.ts';
import { localText } from './list.ts';

type Settings = Omit<ScheduleOptions, 'name' | 'context' | 'tags' | 'template'> & {
  template?: string;
  input?: string;
  tag?: string[];
};
type ActOptions = GlobalOptions & OperatorFlags;

const SETTINGS = [
  'template',
  'description',
  'priority',
  'cron',
  'every',
  'timezone',
  'jitter',
  'start',
  'end',
  'catchUp',
  'catchUpWindow',
  'overlap',
  'onFailure',
] as const;
const UNSETTABLE = [...SETTINGS.filter((key) => key !== 'template'), 'context', 'tags'] as const;

async function settingsOf({ input, tag, ...options }: Settings): Promise<ScheduleChange> {
  const given = SETTINGS.filter((key) => options[key] !== undefined).map((key) => [key, options[key]] as const);
  return {
    ...Object.fromEntries(given),
    ...(input !== undefined && { context: await readObject(input, '--input') }),
    ...(tag && { tags: tag }),
  };
}

/** `tasker schedule create`: creates a schedule. */
export async function scheduleCreate(
  name: string,
  options: ActOptions & Settings & { template: string; paused?: boolean },
): Promise<void> {
  const settings = (await settingsOf(options)) as Omit<ScheduleOptions, 'name'>;
  await withTasker(options, { mayMake: true }, async (tasker) => {
    const how = { ...operatorFrom(options), paused: options.paused ?? false };
    const created = await asUsage(tasker.schedules.create({ ...settings, name }, how));
    await report(tasker, created, { done: 'created', ...options });
  });
}

/** `tasker schedule update`: changes settings of a schedule. */
export async function scheduleUpdate(
  name: string,
  options: ActOptions & Settings & { unset?: string[] },
): Promise<void> {
  const change = await settingsOf(options);
  for (const setting of options.unset ?? []) Object.assign(change, { [unsettable(setting)]: null });
  if (Object.keys(change).length === 0) {
    throw new TaskerError('bad_request', 'nothing to change: pass settings such as --cron or --unset');
  }
  await withTasker(options, {}, async (tasker) => {
    const updated = await asUsage(tasker.schedules.update(name, change, operatorFrom(options)));
    await report(tasker, updated, { done: 'updated', ...options });
  });
}

/** An invalid schedule on the command line is a usage error, like an option that cannot be parsed. */
async function asUsage<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isTaskerError(error) || error.code !== 'schedule_invalid') throw error;
    throw new TaskerError('bad_request', error.message, { cause: error });
  }
}

function unsettable(setting: string): string {
  const key = setting.replace(/^--/, '').replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const named = key === 'input' ? 'context' : key === 'tag' ? 'tags' : key;
  if ((UNSETTABLE as readonly string[]).includes(named)) return named;
  const all = UNSETTABLE.map((one) => one.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
  throw new TaskerError(
    'bad_request',
    `--unset ${setting}: this setting cannot be removed; removable settings are ${all.join(', ')}`,
  );
}

async function report(
  tasker: Tasker,
  schedule: Schedule,
  { done, json }: { done: string; json?: boolean },
): Promise<void> {
  if (json) return printJson(scheduleJson(schedule));
  const { name, words, next, timezone, state } = schedule;
  const first = next[0] === undefined ? 'no further due time' : `next: ${localText(next[0], timezone)}`;
  note(`${done} schedule ${name}: ${words}; ${state === 'paused' ? 'it is paused' : first}`);
  await noteMissingTemplate(tasker, schedule);
}

/** This is only a note, because the template may be registered later. */
async function noteMissingTemplate(tasker: Tasker, { template }: Schedule): Promise<void> {
  const [, namespace, name, version] = /^(.+)\/(.+)@(.+)$/.exec(template)!;
  const known = (await tasker.engine.templates.list()).filter(
    (one) => one.namespace === namespace && one.name === name,
  );
  if (version === 'latest' ? known.length > 0 : known.some((one) => one.version === version)) return;
  const there =
    known.length > 0 ? `; registered: ${known.map((one) => `${namespace}/${name}@${one.version}`).join(', ')}` : '';
  note(`template ${template} is not registered yet${there}; until it is registered, due times of the schedule fail`);
}

/** `tasker schedule pause`: pauses a schedule. */
export async function schedulePause(name: string, options: ActOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const changed = await tasker.schedules.pause(name, operatorFrom(options));
    if (options.json) return printJson({ changed, ...scheduleJson(await tasker.schedules.get(name)) });
    note(changed ? `paused schedule ${name}; its open tasks continue` : `schedule ${name} is already paused`);
  });
}

/** `tasker schedule resume`: resumes a schedule. */
export async function scheduleResume(name: string, options: ActOptions): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const changed = await tasker.schedules.resume(name, operatorFrom(options));
    const schedule = await tasker.schedules.get(name);
    if (options.json) return printJson({ changed, ...scheduleJson(schedule) });
    const next = schedule.next[0];
    const first = next === undefined ? 'it has no further due time' : `next: ${localText(next, schedule.timezone)}`;
    note(changed ? `resumed schedule ${name}; ${first}` : `schedule ${name} is not paused; ${first}`);
  });
}

/** `tasker schedule trigger`: creates a task of a schedule now, and prints its id. */
export async function scheduleTrigger(
  name: string,
  options: ActOptions & { input?: string; idempotencyKey?: string },
): Promise<void> {
  const { input, idempotencyKey } = options;
  const context = input === undefined ? undefined : await readObject(input, '--input');
  await withTasker(options, {}, async (tasker) => {
    const taskUuid = await tasker.schedules.trigger(name, {
      ...operatorFrom(options),
      ...(context && { context }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    });
    if (options.json) return printJson({ task_uuid: taskUuid });
    print(taskUuid);
  });
}

/** `tasker schedule delete`: deletes a schedule. */
export async function scheduleDelete(name: string, options: ActOptions & { yes?: boolean }): Promise<void> {
  await withTasker(options, {}, async (tasker) => {
    const { words, source } = await tasker.schedules.get(name);
    if (source !== null)
      note(
        `${name} is defined in ${source}; remove it there too, otherwise the next worker that starts creates it again`,
      );
    if (!options.yes && !(await confirmed(`Delete schedule ${name} (${words})?`))) return note('nothing was deleted');
    await tasker.schedules.delete(name, operatorFrom(options));
    if (options.json) return printJson({ deleted: name });
    note(`deleted schedule ${name}; its tasks are kept`);
  });
}
