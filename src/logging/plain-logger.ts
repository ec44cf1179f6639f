import { LEVELS, type Level, type Logger, type LogLine } from './logger.ts';
import { pc } from './terminal/colors.ts';
import { shownText } from './terminal/shown-text.ts';

/**
 * Creates a logger for commands, which writes only messages, marked as warnings or notes, by default to standard error. Does
 * not use pino, so that commands start faster.
 */
export function plainLogger({ level, write = toStderr }: { level: Level; write?: (line: string) => void }): Logger {
  const isLevelEnabled = (name: string) => LEVELS.indexOf(name as Level) >= LEVELS.indexOf(level);
  const lineOf = (name: Level): LogLine => {
    if (!isLevelEnabled(name)) return () => {};
    const mark = LEVELS.indexOf(name) >= LEVELS.indexOf('warn') ? pc.yellow('warning:') : pc.dim('note:');
    return (first: object | string, message?: string) => {
      write(`${mark} ${typeof first === 'string' ? first : (message ?? '')}`);
    };
  };
  const [trace, debug, info, warn, error] = LEVELS.map(lineOf) as [LogLine, LogLine, LogLine, LogLine, LogLine];
  const logger: Logger = { trace, debug, info, warn, error, child: () => logger, isLevelEnabled };
  return logger;
}

function toStderr(line: string): void {
  process.stderr.write(`${shownText(line)}\n`);
}
