import { watch } from 'node:fs';

/** Options of {@link watchFolder}. */
export interface WatchFolderOptions {
  signal: AbortSignal;
  onChange: () => void;
  /** It can't be watched (any more): changes are not seen until the next start. */
  onLost: (error: Error) => void;
}

/** An editor that saves makes several changes; so does a checkout of another branch. */
const QUIET_MS = 100;

/** Calls back when something below a folder has changed, once things are quiet. */
export function watchFolder(folder: string, { signal, onChange, onLost }: WatchFolderOptions): void {
  let quiet: NodeJS.Timeout | undefined;
  try {
    const watcher = watch(folder, { recursive: true, signal });
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
