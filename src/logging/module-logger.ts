import type { Logger } from './logger.ts';

/** The parts of this package that may have a level of their own. */
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

/** How a logger of this package gives one for a room; loggers of others have it not. */
export const OF_ROOM = Symbol.for('tasker-core.logger-of-room');

/** A logger whose lines may have a level of their own for each room. */
export interface RoomedLogger extends Logger {
  [OF_ROOM](room: Room): Logger;
}

/** The logger of a room: with its level and name if the logger knows of rooms, else the same. */
export function moduleLogger(logger: Logger, room: Room): Logger {
  return (logger as Partial<RoomedLogger>)[OF_ROOM]?.(room) ?? logger;
}

/** Names of the described system's parts, and what stands for them here. */
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

/** Levels by room. */
export interface RoomLevels {
  rooms: Partial<Record<Room, string>>;
  /** Names that are none of a room. */
  unknown: string[];
}

/**
 * Levels by the names of a filter: `worker`, and also `tasker::worker`, `tasker_worker::events`, `tasker-core/db`. The
 * package as a whole (`tasker`) is every room that is not named itself.
 */
export function levelsByRoom(modules: Readonly<Record<string, string>>): RoomLevels {
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
  return { rooms: { ...everywhere, ...named }, unknown };
}

function roomOf(word: string): Room | undefined {
  return ROOMS.find((room) => room === word) ?? (Object.hasOwn(OTHER_NAMES, word) ? OTHER_NAMES[word] : undefined);
}
