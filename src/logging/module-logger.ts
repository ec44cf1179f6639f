import type { Logger } from './logger.ts';

/** The parts of this package that can have their own log level: the rooms, which are the folders of `src`. */
export const ROOMS = [
  'app',
  'cli',
  'config',
  'db',
  'engine',
  'events',
  'handlers',
  'registry',
  'server',
  'worker',
] as const;
export type Room = (typeof ROOMS)[number];

/** The method of this package's loggers that returns the logger of a room. Other loggers do not have it. */
export const OF_ROOM = Symbol.for('tasker-core.logger-of-room');

/** A logger that can have a separate level for each room. */
export interface RoomedLogger extends Logger {
  [OF_ROOM](room: Room): Logger;
}

/** Returns the logger of a room, with the room's level and name. A logger without rooms is returned unchanged. */
export function moduleLogger(logger: Logger, room: Room): Logger {
  return (logger as Partial<RoomedLogger>)[OF_ROOM]?.(room) ?? logger;
}

/** Names from the original system, and the rooms that they correspond to here. */
const OTHER_NAMES: Readonly<Record<string, Room>> = {
  client: 'cli',
  database: 'db',
  handler: 'handlers',
  orchestration: 'engine',
  pgmq: 'engine',
  resolver: 'registry',
  sqlx: 'db',
  web: 'server',
};

/**
 * Assigns the levels of a log filter to rooms. A name can be written as `worker`, `tasker::worker`,
 * `tasker_worker::events` or `tasker-core/db`. The name of the whole package (`tasker`) sets the level of every room
 * that is not named itself. `unknown` has the names that match no room.
 */
export function levelsByRoom(modules: Readonly<Record<string, string>>) {
  const named: Partial<Record<Room, string>> = {};
  const unknown: string[] = [];
  let all: string | undefined;
  for (const [name, level] of Object.entries(modules)) {
    const words = name
      .toLowerCase()
      .split(/[^a-z]+/)
      .filter((word) => word !== '');
    const room = words.map(roomOf).find((found) => found !== undefined);
    if (room) named[room] = level;
    else if (words[0] === 'tasker') all = level;
    else unknown.push(name);
  }
  const level = all;
  const everywhere = level === undefined ? {} : Object.fromEntries(ROOMS.map((room) => [room, level]));
  const rooms: Partial<Record<Room, string>> = { ...everywhere, ...named };
  return { rooms, unknown };
}

function roomOf(word: string): Room | undefined {
  return ROOMS.find((room) => room === word) ?? (Object.hasOwn(OTHER_NAMES, word) ? OTHER_NAMES[word] : undefined);
}
