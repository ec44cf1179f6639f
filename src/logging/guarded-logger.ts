import { messageOf } from '../errors.ts';
import { LEVELS, type Level, type Logger, silentLogger } from './logger.ts';
import { OF_ROOM, type Room, type RoomedLogger } from './module-logger.ts';

type AnyCall = (...args: unknown[]) => unknown;

const guarded = new WeakSet<Logger>();

/**
 * Wraps a logger so that its errors are suppressed: a log line that cannot be written must not fail a step. The first
 * error emits a process warning. All other members of the logger remain accessible.
 */
export function guardedLogger(given: Logger): Logger {
  if (given === silentLogger || guarded.has(given)) return given;
  let warned = false;
  return guard(given, (error) => {
    if (warned) return;
    warned = true;
    process.emitWarning(`the configured logger throws, so log lines may be missing: ${messageOf(error)}`);
  });
}

type Complain = (error: unknown) => void;

function guard(given: Logger, complain: Complain): Logger {
  const attempt = (write: () => void): void => {
    try {
      write();
    } catch (error) {
      complain(error);
    }
  };
  const derived = (make: () => Logger): Logger => {
    try {
      return guard(make(), complain);
    } catch (error) {
      complain(error);
      return logger;
    }
  };
  // Looks up the logger's method on each call, because a program may change the logger's level.
  const line = (level: Level): AnyCall => {
    return (...args) => attempt(() => (given[level] as AnyCall)(...args));
  };
  const logger = Object.create(given) as Logger;
  const members: Record<string | symbol, AnyCall> = Object.fromEntries(LEVELS.map((level) => [level, line(level)]));
  // Passes all arguments, because pino's `child` also takes options.
  members['child'] = (...args) => derived(() => (given.child as AnyCall).apply(given, args) as Logger);
  if (given.isLevelEnabled) members['isLevelEnabled'] = (level) => enabled(given, level as string, complain);
  if (OF_ROOM in given) members[OF_ROOM] = (room) => derived(() => (given as RoomedLogger)[OF_ROOM](room as Room));
  for (const key of Reflect.ownKeys(members)) {
    Object.defineProperty(logger, key, { value: members[key as string], writable: true, configurable: true });
  }
  guarded.add(logger);
  return logger;
}

function enabled(given: Logger, level: string, complain: Complain): boolean {
  try {
    return given.isLevelEnabled!(level);
  } catch (error) {
    complain(error);
    return true;
  }
}
