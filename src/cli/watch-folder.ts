import { statSync, watch } from 'node:fs';
import path from 'node:path';

/** Options of {@link watchFolder}. */
export interface WatchFolderOptions {
  signal: AbortSignal;
  onChange: () => void;
  /** It can't be watched (any more): changes are not seen until the next start. */
  onLost: (error: Error) => void;
}

/** An editor that saves makes several changes; so does a checkout of another branch. */
const QUIET_MS = 100;

/** Calls back when something below a folder (or beside a file) has changed, once things are quiet. */
export function watchFolder(folder: string, { signal, onChange, onLost }: WatchFolderOptions): void {
  let quiet: NodeJS.Timeout | undefined;
  try {
    // Editors put a new file in the place of the old one, which a watch on the old one would not see.
    const isFolder = statSync(folder).isDirectory();
    const watcher = watch(isFolder ? folder : path.dirname(folder), { recursive: isFolder, signal });
    watcher.on('change', () => {
      clearTimeout(quiet);
      quiet = setTimeout(onChange, QUIET_MS);
    });
    watcher.on('error', onLost);
    watcher.on('close', () => clearTimeout(quiet));
  } catch (error) {
    onLost(error as Error);
  }
}
