import pino from 'pino';
import type { ConsoleForm } from './console-form.ts';
import { STANDARD_ERROR_FORM } from './console-form.ts';
import type { LogBindings, Logger } from './logger.ts';
import { levelsByRoom, OF_ROOM, ROOMS, type Room, type RoomedLogger } from './module-logger.ts';
import { redactFields } from './redact-fields.ts';
import { pc } from './terminal/colors.ts';
import { oneLine, shownText } from './terminal/shown-text.ts';

/** Options of {@link consoleLogger}. */
export interface ConsoleLoggerOptions {
  level: string;
  /** Levels for parts of this package, by name: `worker`, `db`, `tasker::engine`. */
  modules?: Readonly<Record<string, string>>;
  /** `json`: lines of pino. `lines`: readable lines with a time. */
  form: ConsoleForm;
  /** Where lines are written, which must pass them through `shownText`. Default: standard error. */
  write?: (line: string) => void;
}

/** Fields that every line has, or that are already in its text. */
const LEFT_OUT = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'module']);

/**
 * Creates a logger that writes to standard error in the given format. Credentials in fields are redacted. Unknown module
 * names are reported in one warning.
 */
export function consoleLogger(options: ConsoleLoggerOptions): Logger {
  const { modules = {} } = options;
  const level = pinoLevel(options.level);
  const formatters = { log: withoutSecrets };
  // The formatter has already serialized the error.
  const serializers = { err: (shown: unknown) => shown };
  const base = pino({ name: 'tasker', level, formatters, serializers }, sinkOf(options));
  const child = base.child as (this: object, bindings: LogBindings, more?: { level: string }) => Logger;
  Object.assign(base, {
    child(this: object, bindings: LogBindings, more?: { level: string }) {
      return child.call(this, redactFields(bindings), more);
    },
  });
  const { rooms, unknown } = levelsByRoom(modules);
  const made = new Map<Room, Logger>();
  const ofRoom = (room: Room): Logger => {
    let known = made.get(room);
    if (!known) {
      known = child.call(base, { module: room }, { level: pinoLevel(rooms[room] ?? level) });
      made.set(room, known);
    }
    return known;
  };
  const logger: RoomedLogger = Object.assign(base as Logger, { [OF_ROOM]: ofRoom });
  if (!options.write) Object.assign(logger, { [STANDARD_ERROR_FORM]: options.form });
  if (unknown.length > 0) {
    logger.warn(`unknown module in the log filter: ${unknown.join(', ')}; the modules are ${ROOMS.join(', ')}`);
  }
  return logger;
}

/** Log filters use `off` instead of pino's `silent`. */
function pinoLevel(level: string): string {
  return level === 'off' ? 'silent' : level;
}

function sinkOf({ form, write }: ConsoleLoggerOptions): pino.DestinationStream {
  if (form !== 'json') {
    return { write: (json: string) => (write ?? toStandardError)(lineOf(JSON.parse(json))) };
  }
  if (write) return { write: (json: string) => write(json.trimEnd()) };
  const standardError = pino.destination({ dest: 2, sync: true });
  return { write: (json: string) => void standardError.write(shownText(json)) };
}

/** Redacts fields as the log functions do, but keeps the stack of an error in the field `err`. */
function withoutSecrets(fields: object): Record<string, unknown> {
  const { err } = fields as { err?: unknown };
  return redactFields(err instanceof Error ? { ...fields, err: pino.stdSerializers.err(err) } : fields);
}

function toStandardError(line: string): void {
  process.stderr.write(`${shownText(line)}\n`);
}

type Entry = Record<string, unknown> & { level: number; time: number; msg?: string };

/** `12:03:44 info  task complete task_uuid=… state=complete` */
function lineOf(entry: Entry): string {
  const time = new Date(entry.time).toTimeString().slice(0, 8);
  return `${pc.dim(time)} ${levelOf(entry.level).padEnd(5)} ${entry.msg ?? ''}${fieldsOf(entry)}`;
}

function levelOf(level: number): string {
  if (level >= 50) return pc.red('error');
  if (level >= 40) return pc.yellow('warn ');
  return level >= 30 ? pc.green('info ') : pc.dim('debug');
}

function fieldsOf(entry: Entry): string {
  const shown = Object.entries(entry).filter(
    ([key, value]) => !LEFT_OUT.has(key) && value !== undefined && !isOwnCorrelation(key, entry),
  );
  return shown
    .map(([key, value]) => ` ${pc.dim(`${key}=`)}${typeof value === 'string' ? oneLine(value) : JSON.stringify(value)}`)
    .join('');
}

/** Omits the correlation id if it is the task id, because repeating it would lengthen every line. */
function isOwnCorrelation(key: string, entry: Entry): boolean {
  return key === 'correlation_id' && entry['task_uuid'] === entry['correlation_id'];
}
