import type { Logger } from '../../src/logging/logger.ts';

interface Line {
  level: string;
  message: string;
  fields: object;
}

/** Returns a logger that keeps its lines. */
export function collectingLogger(): { logger: Logger; lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (first: string | object, message = ''): void => {
      lines.push(typeof first === 'string' ? { level, message: first, fields: {} } : { level, message, fields: first });
    };
  const logger: Logger = {
    trace: at('trace'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => logger,
  };
  return { logger, lines };
}
