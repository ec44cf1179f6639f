import { guardedLogger } from './guarded-logger.ts';
import { LEVELS, type Level, type LogBindings, type Logger, type LogLine, silentLogger } from './logger.ts';

/** Writes a line: the message, then its fields. */
type MessageLine = (message: string, ...details: never[]) => unknown;

/** A logger that takes the message first, as `console`, winston and most loggers other than pino do. */
export interface MessageLogger {
  error: MessageLine;
  warn: MessageLine;
  info: MessageLine;
  debug?: MessageLine;
}

/**
 * Any supported logger: one with pino's interface ({@link Logger}), a winston logger, `console`, or an object whose
 * methods take a message and then an object of fields. `console` gets no lines below info.
 */
export type AnyLogger = Logger | MessageLogger;

/** The methods for each level, the preferred method first. Never `trace`: `console.trace` prints a stack trace. */
const METHODS: Record<Level, readonly string[]> = {
  trace: ['silly', 'verbose', 'debug'],
  debug: ['debug', 'verbose'],
  info: ['info', 'notice'],
  warn: ['warn', 'warning'],
  error: ['error', 'crit'],
};

/** Adapts any logger to pino's interface, which this package uses. Errors that the logger throws are suppressed. */
export function loggerOf(given: AnyLogger): Logger {
  return guardedLogger(inShape(given));
}

function inShape(given: AnyLogger): Logger {
  const members = given as unknown as Record<string, unknown>;
  const winston = typeof members['configure'] === 'function' && 'transports' in members;
  if (typeof members['child'] === 'function' && !winston) return given as Logger;
  const console = typeof members['table'] === 'function' && typeof members['assert'] === 'function';
  return messageFirst({ members, kind: winston ? 'winston' : console ? 'console' : 'other' }, {});
}

interface Target {
  members: Record<string, unknown>;
  kind: 'winston' | 'console' | 'other';
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

function methodOf({ members }: Target, level: Level): { name: string; write: Method } | undefined {
  const name = METHODS[level].find((candidate) => typeof members[candidate] === 'function');
  return name === undefined ? undefined : { name, write: members[name] as Method };
}

function messageFirst(target: Target, bindings: LogBindings): Logger {
  const { members, kind } = target;
  const enabled = (level: string): boolean => {
    const method = Object.hasOwn(METHODS, level) ? methodOf(target, level as Level) : undefined;
    if (!method || (kind === 'console' && METHODS.debug.concat(METHODS.trace).includes(method.name))) return false;
    const asked = members['isLevelEnabled'];
    return typeof asked !== 'function' || asked.call(members, method.name) !== false;
  };
  const line = (level: Level) => {
    const method = methodOf(target, level);
    if (!method) return silentLogger[level];
    return (first: string | object, second?: string): void => {
      if (!enabled(level)) return;
      const { message, fields } = partsOf(first, second, bindings);
      if (kind === 'winston') method.write.call(members, { ...fields, message });
      else if (Object.keys(fields).length > 0) method.write.call(members, message, fields);
      else method.write.call(members, message);
    };
  };
  const lines = Object.fromEntries(LEVELS.map((level) => [level, line(level)])) as Record<Level, LogLine>;
  return {
    ...lines,
    child: (more) => messageFirst(target, { ...bindings, ...more }),
    isLevelEnabled: enabled,
  };
}

function partsOf(
  first: string | object,
  second: string | undefined,
  bindings: LogBindings,
): { message: string; fields: LogBindings } {
  if (typeof first === 'string') return { message: first, fields: { ...bindings } };
  if (first instanceof Error) return { message: second ?? first.message, fields: { ...bindings, error: first } };
  return { message: second ?? '', fields: { ...bindings, ...first } };
}
