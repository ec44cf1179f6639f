/** A folder of `src`, or a file directly in it. */
export interface Room {
  about: string;
  /** The file to read first. */
  begin: string;
  mayImport: readonly string[];
  /** Rooms of which it may import types. */
  mayImportTypesOf?: readonly string[];
}

export const ROOMS: Readonly<Record<string, Room>>;
export function roomsTable(): string;
export function withRooms(page: string): string;
