import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Engine } from '../../engine/engine.ts';
import type { Logger } from '../../logging/logger.ts';
import type { ScheduleSource } from './load-schedules.ts';

/** The parts that are needed at startup to apply the schedules of files. */
export interface StartedSchedules {
  engine: Engine;
  /** Undefined if this process has no files of schedules. */
  files: ScheduleSource | undefined;
  /** The configured source. */
  source: string | undefined;
  logger: Logger;
}

/**
 * Creates and updates the schedules of files. Content that was applied before is not applied again, so that restarting
 * an older program does not undo the changes of a newer one. Does not pause schedules.
 * @throws TaskerError `schedule_invalid` with every error of every file
 */
export async function startSchedules({ engine, files, source, logger }: StartedSchedules): Promise<void> {
  if (files === undefined) return;
  const { loadSchedules } = await import('./load-schedules.ts');
  const schedules = await loadSchedules(files);
  const owner = source ?? packageName();
  for (const { name, change, reason } of await engine.schedules.apply({ source: owner, schedules, all: false })) {
    if (change === 'created' || change === 'updated') logger.info({ schedule: name }, `schedule ${change}`);
    else if (change !== 'unchanged')
      logger.warn({ schedule: name, reason }, `schedule from a file not applied: ${change}`);
  }
}

/** Returns the name in the nearest `package.json`, or else the name of the current folder. */
export function packageName(folder: string = process.cwd()): string {
  for (let at = folder; ; at = path.dirname(at)) {
    const name = nameIn(path.join(at, 'package.json'));
    if (name !== undefined) return name;
    if (path.dirname(at) === at) return path.basename(folder) || 'default';
  }
}

function nameIn(file: string): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown };
    return typeof name === 'string' && name !== '' ? name : undefined;
  } catch {
    return undefined; // the file does not exist, or has no name
  }
}
