import pc from 'picocolors';
import pino from 'pino';
import type { Logger } from './logger.ts';

/** Options of {@link consoleLogger}. */
export interface ConsoleLoggerOptions {
  level: string;
  /** `json`: pino's lines. `lines`: for people, with time. `notes`: for people, only what went wrong. */
  form: 'json' | 'lines' | 'notes';
  /** Default: standard error. */
  write?: (line: string) => void;
}

/** Fields that every line has, or that its text says already. */
const LEFT_OUT = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg']);

/** A logger on standard error, in the form that its reader wants. */
export function consoleLogger({ level, form, write = toStandardError }: ConsoleLoggerOptions): Logger {
  if (form === 'json') return pino({ name: 'tasker', level }, pino.destination({ dest: 2, sync: true })) as Logger;
  const format = form === 'lines' ? lineOf : noteOf;
  return pino({ name: 'tasker', level }, { write: (json: string) => write(format(JSON.parse(json))) }) as Logger;
}

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}

type Entry = Record<string, unknown> & { level: number; time: number; msg?: string };

/** `12:03:44 info  task complete task_uuid=… state=complete` */
function lineOf(entry: Entry): string {
  const time = new Date(entry.time).toTimeString().slice(0, 8);
  return `${pc.dim(time)} ${levelOf(entry.level).padEnd(5)} ${entry.msg ?? ''}${fieldsOf(entry)}`;
}

/** `warning: no handler here for greet; register them, or run a worker that has them` */
function noteOf(entry: Entry): string {
  return `${entry.level >= 40 ? pc.yellow('warning:') : pc.dim('note:')} ${entry.msg ?? ''}`;
}

function levelOf(level: number): string {
  if (level >= 50) return pc.red('error');
  if (level >= 40) return pc.yellow('warn ');
  return level >= 30 ? pc.green('info ') : pc.dim('debug');
}

function fieldsOf(entry: Entry): string {
  const shown = Object.entries(entry).filter(([key, value]) => !LEFT_OUT.has(key) && value !== undefined);
  return shown
    .map(([key, value]) => ` ${pc.dim(`${key}=`)}${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
}
