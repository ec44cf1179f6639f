import { stat } from 'node:fs/promises';
import { type ArchivedTask, readArchive } from '../../app/retention.ts';
import { isTaskerError, TaskerError } from '../../errors.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { counted, fields, painted, sizeOf, table } from '../show/text.ts';
import { inFolder, thisRun } from '../this-run.ts';
import { archiveFiles } from './files.ts';

interface ArchiveShowOptions extends GlobalOptions {
  task?: string;
  limit: number;
}

/** The content of a file. */
interface Content {
  file: string;
  bytes: number;
  tasks: ArchivedTask[];
  total: number;
  damage: string | null;
}

/** `tasker archive show`: lists the tasks of archive files, or shows one. Exits 1 if a file is damaged. */
export async function archiveShow(given: string[], options: ArchiveShowOptions): Promise<void> {
  const files = await archiveFiles(given);
  const { task, json } = options;
  const contents: Content[] = [];
  for (const file of files) {
    const content = await contentOf(file, options);
    contents.push(content);
    if (content.damage !== null) thisRun().exitCode = EXIT.failed;
    if (task === undefined && !json) print(`${contents.length > 1 ? '\n' : ''}${describe(content, options)}`);
  }
  if (task !== undefined) return showOne(task, contents, options);
  if (json) printJson(contents.map(({ tasks, total, ...rest }) => ({ ...rest, total, tasks: tasks.map(summary) })));
}

async function contentOf(file: string, { task, limit }: ArchiveShowOptions): Promise<Content> {
  const { size: bytes } = await stat(inFolder(file));
  const content: Content = { file, bytes, tasks: [], total: 0, damage: null };
  try {
    for await (const archived of readArchive(inFolder(file))) {
      content.total++;
      const shown = task === undefined ? content.tasks.length < limit : archived.taskUuid === task.toLowerCase();
      if (shown) content.tasks.push(archived);
    }
  } catch (error) {
    if (!isTaskerError(error) || error.code !== 'archive_damaged') throw error;
    content.damage = error.message;
  }
  return content;
}

function summary({ taskUuid, template, task, lists, archivedAt }: ArchivedTask): Record<string, unknown> {
  return {
    task_uuid: taskUuid,
    template: nameOf(template),
    status: task.state,
    created_at: task.created_at,
    completed_at: task.done_at,
    archived_at: archivedAt,
    steps: lists.steps?.length ?? 0,
    events: lists.events?.length ?? 0,
  };
}

function nameOf({ namespace, name, version }: ArchivedTask['template']): string {
  return `${namespace}/${name}@${version}`;
}

function describe({ file, bytes, tasks, total, damage }: Content, { limit }: ArchiveShowOptions): string {
  const lines = [pc.bold(file), `${counted(total, 'task')}, ${sizeOf(bytes)}`];
  if (damage !== null) lines.push(pc.yellow(damage));
  if (tasks.length > 0) {
    const rows = tasks.map((one) => [
      one.taskUuid,
      nameOf(one.template),
      painted(String(one.task.state)),
      time(one.task.done_at),
      String(one.lists.steps?.length ?? 0),
    ]);
    lines.push('', table(['task', 'template', 'status', 'ended', 'steps'], rows));
  }
  if (total > tasks.length) lines.push(pc.dim(`… and ${total - tasks.length} more (--limit ${limit})`));
  return lines.join('\n');
}

/** A task may have been archived twice, before and after a restore. The latest copy is shown. */
function showOne(task: string, contents: readonly Content[], { json }: ArchiveShowOptions): void {
  const found = contents.flatMap(({ file, tasks }) => tasks.map((archived) => ({ file, archived }))).at(-1);
  for (const { damage } of contents) if (damage !== null) note(damage);
  if (!found) {
    const where = contents.length === 1 ? contents[0]!.file : counted(contents.length, 'file');
    throw new TaskerError('task_not_found', `task ${task} not found in ${where}`);
  }
  if (json) printJson(JSON.parse(found.archived.line));
  else print(describeTask(found.archived, found.file));
}

function describeTask({ taskUuid, template, task, lists, archivedAt }: ArchivedTask, file: string): string {
  const parts = [
    fields([
      ['task', taskUuid],
      ['template', nameOf(template)],
      ['status', painted(String(task.state))],
      ['created', time(task.created_at)],
      ['ended', time(task.done_at)],
      ['archived', `${time(archivedAt)} in ${file}`],
      ['context', JSON.stringify(task.context)],
    ]),
  ];
  const section = (head: string, header: string[], rows: string[][]) => {
    if (rows.length > 0) parts.push(`${pc.bold(head)}\n${table(header, rows)}`);
  };
  section(
    'steps',
    ['step', 'state', 'attempts', 'ended', 'result'],
    (lists.steps ?? []).map((row) => [
      text(row.step),
      painted(text(row.state)),
      text(Number(row.attempts) - Number(row.spared)),
      time(row.done_at),
      cut(row.result),
    ]),
  );
  section(
    'history',
    ['ended', 'step', 'attempt', 'outcome', 'worker', 'error'],
    (lists.history ?? []).map((row) => [
      time(row.ended_at),
      text(row.step),
      text(row.number ?? row.attempt),
      text(row.outcome),
      text(row.worker),
      cut((row.detail as { error?: { message?: string } } | null)?.error?.message),
    ]),
  );
  section(
    'operators',
    ['at', 'step', 'action', 'by', 'reason'],
    (lists.operator_actions ?? []).map((row) => [
      time(row.at),
      text(row.step),
      text(row.action),
      text(row.actor),
      cut(row.reason),
    ]),
  );
  section(
    'events',
    ['at', 'event', 'step', 'payload'],
    (lists.events ?? []).map((row) => [time(row.fired_at), text(row.name), text(row.step), cut(row.payload)]),
  );
  return parts.join('\n\n');
}

function text(value: unknown): string {
  return value === null || value === undefined ? '' : String(value);
}

const WIDTH = 60;

/** Shortens a value to one line. `--json` prints it in full. */
function cut(value: unknown): string {
  if (value === null || value === undefined) return '';
  const line = (typeof value === 'string' ? value : JSON.stringify(value)).split('\n')[0]!;
  return line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line;
}

function time(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 19).replace('T', ' ') : '';
}
