import { LEVELS, type Level, type Logger, type LogLine } from './logger.ts';
import { pc } from './terminal/colors.ts';
import { shownText } from './terminal/shown-text.ts';

/**
 * Creates a logger for commands, which writes only messages to standard error, marked as warnings or notes. Does not use
 * pino, so that commands start faster.
 */
export function plainLogger({ level }: { level: Level }): Logger {
  const isLevelEnabled = (name: string) => LEVELS.indexOf(name as Level) >= LEVELS.indexOf(level);
  const lineOf = (name: Level): LogLine => {
    if (!isLevelEnabled(name)) return () => {};
    const mark = LEVELS.indexOf(name) >= LEVELS.indexOf('warn') ? pc.yellow('warning:') : pc.dim('note:');
    return (first: object | string, message?: string) => {
      process.stderr.write(shownText(`${mark} ${typeof first === 'string' ? first : (message ?? '')}\n`));
    };
  };
  const [trace, debug, info, warn, error] = LEVELS.map(lineOf) as [LogLine, LogLine, LogLine, LogLine, LogLine];
  const logger: Logger = { trace, debug, info, warn, error, child: () => logger, isLevelEnabled };
  return logger;
}
