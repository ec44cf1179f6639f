import { statSync, watch } from 'node:fs';
import path from 'node:path';
import { TreeWatch } from './tree-watch.ts';

/** Options of {@link watchFolder}. */
export interface WatchFolderOptions {
  signal: AbortSignal;
  onChange: () => void;
  /** It can't be watched (any more): changes are not seen until the next start. */
  onLost: (error: Error) => void;
}

/** An editor that saves makes several changes; so does a checkout of another branch. */
const QUIET_MS = 100;

/** Where the system itself watches all that is below a folder. */
const HAS_RECURSIVE = process.platform === 'darwin' || process.platform === 'win32';

/** Calls back when something below a folder (or beside a file) has changed, once things are quiet. */
export function watchFolder(folder: string, { signal, onChange, onLost }: WatchFolderOptions): void {
  let quiet: NodeJS.Timeout | undefined;
  const changed = () => {
    clearTimeout(quiet);
    quiet = setTimeout(onChange, QUIET_MS);
  };
  try {
    const watcher = watchAll(folder, { onChange: changed, onLost });
    signal.addEventListener('abort', () => {
      watcher.close();
      clearTimeout(quiet);
    });
  } catch (error) {
    onLost(error as Error);
  }
}

function watchAll(folder: string, { onChange, onLost }: Omit<WatchFolderOptions, 'signal'>): { close(): void } {
  const isFolder = statSync(folder).isDirectory();
  if (isFolder && !HAS_RECURSIVE) return new TreeWatch(folder, { onChange, onLost });
  // Editors put a new file in the place of the old one, which a watch on the old one would not see.
  const watcher = watch(isFolder ? folder : path.dirname(folder), { recursive: isFolder });
  watcher.on('change', onChange);
  watcher.on('error', onLost);
  return watcher;
}
