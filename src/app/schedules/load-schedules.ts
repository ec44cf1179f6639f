import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, TaskerError } from '../../errors.ts';
import type { ScheduleSpec } from '../../model/schedule/spec.ts';
import { parseSchedule } from '../../template/schedule/parse-schedule.ts';
import { formatProblem, type TemplateProblem } from '../../template/template-problem.ts';

/** Files and folders of schedules. Each file (`*.yaml`, `*.yml`) has one schedule. */
export type ScheduleSource = string | readonly string[];

const IS_SCHEDULE = /\.ya?ml$/i;

/** The outcome of {@link readSchedules}. */
export interface ReadSchedules {
  schedules: ScheduleSpec[];
  files: string[];
  problems: TemplateProblem[];
}

/** Reads schedules, and collects the problems of all files. Paths are relative to `cwd`. */
export async function readSchedules(source: ScheduleSource, cwd = '.'): Promise<ReadSchedules> {
  const read: ReadSchedules = { schedules: [], files: [], problems: [] };
  const fileOf = new Map<string, string>();
  for (const one of [source].flat()) {
    for (const file of await filesOf(one, cwd)) {
      read.files.push(file);
      const text = await textOf(file, cwd);
      const { schedule, problems } =
        typeof text === 'string' ? parseSchedule(text, file) : { schedule: null, problems: [text] };
      read.problems.push(...problems);
      if (!schedule) continue;
      const other = fileOf.get(schedule.name);
      if (other === undefined) read.schedules.push(schedule);
      else {
        const message = `schedule \`${schedule.name}\` is also in ${other}; rename one of them`;
        read.problems.push(problem(file, 'duplicate_name', message));
      }
      fileOf.set(schedule.name, file);
    }
  }
  return read;
}

/** Reads schedules, all of which must be valid. @throws TaskerError `schedule_invalid` with every error of every file */
export async function loadSchedules(source: ScheduleSource, cwd?: string): Promise<ScheduleSpec[]> {
  const { schedules, problems } = await readSchedules(source, cwd);
  if (problems.length === 0) return schedules;
  throw new TaskerError('schedule_invalid', problems.map(formatProblem).join('\n'), { details: { problems } });
}

async function filesOf(source: string, cwd: string): Promise<string[]> {
  const place = path.resolve(cwd, source);
  const info = await stat(place).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? 'does not exist' : `cannot be read (${error.code})`;
    throw new TaskerError('schedule_invalid', `schedules: ${place} ${why}`, { cause: error });
  });
  if (!info.isDirectory()) return [source];
  const entries = await readdir(place, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && IS_SCHEDULE.test(entry.name) && !entry.parentPath.includes('node_modules'))
    .map((entry) => path.join(source, path.relative(place, entry.parentPath), entry.name))
    .sort();
}

async function textOf(file: string, cwd: string): Promise<string | TemplateProblem> {
  try {
    return await readFile(path.resolve(cwd, file), 'utf8');
  } catch (error) {
    return problem(file, 'file_unreadable', `the file cannot be read: ${messageOf(error)}`);
  }
}

function problem(file: string, code: string, message: string): TemplateProblem {
  return { severity: 'error', code, message, file, line: 1, column: 1, path: '' };
}
