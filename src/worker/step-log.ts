import { setTimeout as sleep } from 'node:timers/promises';
import { format } from 'node:util';
import type { Engine, StepLogRow } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import { LEVELS, type Level, type LogBindings, type Logger } from '../logging/logger.ts';
import { redactFields, redactText } from '../logging/redact-fields.ts';
import { withMembers } from '../logging/sensitive-texts.ts';
import { backOff } from '../time/back-off.ts';

/** The attempts for which the lines that handlers logged are kept. */
export type KeptLogs = 'none' | 'failed' | 'all';

/** Maximum number of lines that are kept for an attempt: its last ones. */
const MOST_LINES = 200;
/** Maximum characters of the kept lines of an attempt. */
const MOST_TEXT = 65_536;
/** Maximum characters of a line. */
const LONGEST_LINE = 8_192;
/** Lines of this level and above are kept even if the logger of the program does not write them. */
const ALWAYS_KEPT = LEVELS.indexOf('info');

/** The last lines that a handler logged in an attempt. */
export class StepLog {
  /** Each line is the JSON of `[milliseconds since 1970, level, message, fields]`. */
  readonly #lines: string[] = [];
  #size = 0;
  dropped = 0;

  add(level: Level, message: string, fields: object): void {
    const line = lineOf(level, message, fields);
    this.#lines.push(line);
    this.#size += line.length;
    while (this.#lines.length > MOST_LINES || this.#size > MOST_TEXT) {
      this.#size -= this.#lines.shift()!.length;
      this.dropped += 1;
    }
  }

  get lines(): string {
    return `[${this.#lines.join(',')}]`;
  }
}

function lineOf(level: Level, message: string, fields: object): string {
  const short = redactText(message.length > LONGEST_LINE ? `${message.slice(0, LONGEST_LINE)}…` : message);
  const safe = redactFields(fields);
  const line = JSON.stringify([Date.now(), level, short, safe]);
  if (line.length <= LONGEST_LINE * 2) return line;
  return JSON.stringify([Date.now(), level, short, { left_out: Object.keys(safe).slice(0, 20) }]);
}

/**
 * Returns a logger that writes to the given one and keeps the lines. The other members of the given logger remain
 * accessible. Never throws because of a line.
 */
export function keepingLogger(inner: Logger, log: StepLog, bindings: LogBindings = {}): Logger {
  const writes = (level: string) => inner.isLevelEnabled?.(level) ?? true;
  const line =
    (level: Level) =>
    (...args: unknown[]): void => {
      const written = writes(level);
      if (written) (inner[level] as (...args: unknown[]) => void)(...args);
      if (written || LEVELS.indexOf(level) >= ALWAYS_KEPT) keep(log, level, bindings, args);
    };
  const child: Logger['child'] = (more, ...rest: unknown[]) =>
    keepingLogger((inner.child as (...args: unknown[]) => Logger)(more, ...rest), log, { ...bindings, ...more });
  const members = {
    ...Object.fromEntries(LEVELS.map((level) => [level, line(level)])),
    child,
    isLevelEnabled: (level: string) => LEVELS.indexOf(level as Level) >= ALWAYS_KEPT || writes(level),
  };
  return withMembers(inner, members);
}

/** Takes the same arguments as pino: a message, or fields and a message, and then values for `%s` and the like. */
function keep(log: StepLog, level: Level, bindings: LogBindings, [given, ...rest]: unknown[]): void {
  try {
    if (given instanceof Error)
      log.add(level, format(rest[0] ?? given.message, ...rest.slice(1)), { ...bindings, err: given });
    else if (typeof given === 'object' && given !== null)
      log.add(level, format(rest[0] ?? '', ...rest.slice(1)), { ...bindings, ...given });
    else log.add(level, format(given, ...rest), bindings);
  } catch {
    log.dropped += 1; // a getter or toJSON of the handler's own object threw
  }
}

/** An attempt that was recorded. */
interface RecordedAttempt {
  readonly step: {
    readonly taskUuid: string;
    readonly idx: number;
    readonly number: number;
    readonly log: StepLog | undefined;
  };
  readonly attempt: number;
  /** Undefined if it did not fail. */
  readonly error: object | undefined;
  readonly wait?: { readonly kind: string } | undefined;
}

/** Pause before a write, so that the lines of many attempts are written together. */
const PAUSE_MS = 300;
/** Maximum number of attempts in one statement. */
const AT_ONCE = 200;
/** Maximum characters that wait to be written. Beyond this, the lines of further attempts are dropped. */
const MOST_WAITING = 32 * 1024 * 1024;
/** Maximum number of attempts to write. */
const TRIES = 3;

/** Writes the kept lines of recorded attempts in the background. Lines that cannot be written are dropped. */
export class StepLogWriter {
  readonly #engine: Pick<Engine, 'saveStepLogs'>;
  readonly #logger: Logger;
  readonly #failedOnly: boolean;
  #waiting: StepLogRow[] = [];
  #size = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;
  readonly #stopping = new AbortController();

  constructor(engine: Pick<Engine, 'saveStepLogs'>, logger: Logger, keep: Exclude<KeptLogs, 'none'>) {
    this.#engine = engine;
    this.#logger = logger;
    this.#failedOnly = keep === 'failed';
  }

  recorded(accepted: readonly RecordedAttempt[]): void {
    for (const { step, attempt, error, wait } of accepted) {
      // An attempt that waits for its completion may still fail.
      const mayFail = error !== undefined || wait?.kind === 'completion';
      if (step.log === undefined || (this.#failedOnly && !mayFail)) continue;
      const { lines, dropped } = step.log;
      if (this.#size + lines.length > MOST_WAITING) {
        this.#dropped += 1;
        continue;
      }
      this.#waiting.push({ taskUuid: step.taskUuid, idx: step.idx, attempt, number: step.number, lines, dropped });
      this.#size += lines.length;
    }
    if (this.#waiting.length > 0) this.#writing ??= this.#write();
  }

  /** Writes the remaining lines. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { signal } = this.#stopping;
    await sleep(PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, AT_ONCE);
      await this.#save(batch);
      for (const { lines } of batch) this.#size -= lines.length;
    }
    this.#writing = undefined;
    if (this.#dropped > 0) this.#logger.warn({ attempts: this.#dropped }, 'step logs dropped: too many pending');
    this.#dropped = 0;
  }

  async #save(rows: readonly StepLogRow[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#engine.saveStepLogs(rows);
      } catch (error) {
        if (tries === TRIES || this.#stopping.signal.aborted) {
          this.#logger.warn({ attempts: rows.length, error: messageOf(error) }, 'step logs not written');
          return;
        }
        await backOff(tries, this.#stopping.signal);
      }
    }
  }
}
