import { type FSWatcher, readdirSync, realpathSync, statSync, watch } from 'node:fs';
import path from 'node:path';

/** Options of {@link watchFolder}. */
export interface WatchFolderOptions {
  signal: AbortSignal;
  onChange: () => void;
  /** Called if the folder cannot be watched, or can no longer be watched. Later changes are missed. */
  onLost: (error: Error) => void;
}

type Watching = Omit<WatchFolderOptions, 'signal'>;

/** Saving a file in an editor, or checking out a branch, causes several changes. They are reported once. */
const QUIET_MS = 100;

/** Whether the operating system can watch a whole folder tree. */
const HAS_RECURSIVE = process.platform === 'darwin' || process.platform === 'win32';

/** Calls `onChange` when something in a folder, or a single file, has changed and no further changes follow. */
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

function watchAll(folder: string, { onChange, onLost }: Watching): { close(): void } {
  const isFolder = statSync(folder).isDirectory();
  if (isFolder && !HAS_RECURSIVE) return new TreeWatch(folder, { onChange, onLost });
  // Editors replace a file with a new one. A watcher on the old file would miss that, so the folder is watched instead.
  const watcher = watch(isFolder ? folder : path.dirname(folder), { recursive: isFolder });
  watcher.on('change', onChange);
  watcher.on('error', onLost);
  return watcher;
}

/**
 * Watches a folder tree with one watcher per folder. On Linux, which has no recursive watch, Node's `recursive` option
 * watches each file instead. It misses the second save of a file by an editor that renames a new file over it.
 */
class TreeWatch {
  readonly #root: string;
  readonly #options: Watching;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Watches the parent folder, to detect when the root itself is replaced. */
  readonly #beside: FSWatcher;

  constructor(root: string, options: Watching) {
    this.#root = path.resolve(root);
    this.#options = options;
    this.#beside = watch(path.dirname(this.#root));
    this.#beside.on('error', options.onLost);
    this.#beside.on('change', (_event, name) => {
      if (name === path.basename(this.#root)) this.#renew(this.#root, new Set());
    });
    this.#watch(this.#root, new Set());
  }

  close(): void {
    this.#beside.close();
    this.#forget(this.#root);
  }

  /**
   * @param above The real paths of the folders above. A link to such a folder is skipped, because it would recurse
   * forever.
   */
  #watch(folder: string, above: ReadonlySet<string>): void {
    try {
      const real = realpathSync(folder);
      if (above.has(real)) return;
      const here = new Set(above).add(real);
      // Watches before listing the contents: earlier entries are in the list, and later entries are reported.
      this.#watchers.set(folder, this.#watcherOf(folder, here));
      for (const name of readdirSync(folder)) if (isWatched(folder, name)) this.#watch(path.join(folder, name), here);
    } catch (error) {
      // The folder may just have been deleted. The watcher of its parent reports that.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#options.onLost(error as Error);
    }
  }

  #watcherOf(folder: string, here: ReadonlySet<string>): FSWatcher {
    const watcher = watch(folder);
    watcher.on('error', this.#options.onLost);
    watcher.on('change', (event, name) => {
      this.#options.onChange();
      if (event === 'rename' && typeof name === 'string') this.#renew(path.join(folder, name), here);
    });
    return watcher;
  }

  /** Handles an entry that has appeared, disappeared or been replaced. */
  #renew(place: string, above: ReadonlySet<string>): void {
    if (this.#watchers.has(place)) this.#options.onChange();
    this.#forget(place);
    if (!isWatched(path.dirname(place), path.basename(place)) && place !== this.#root) return;
    this.#watch(place, above);
    if (this.#watchers.has(place)) this.#options.onChange();
  }

  #forget(place: string): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folder !== place && !folder.startsWith(place + path.sep)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
  }
}

/** Skips hidden folders and node_modules, which contain no handlers or templates and change often. */
function isWatched(folder: string, name: string): boolean {
  if (name.startsWith('.') || name === 'node_modules') return false;
  return statSync(path.join(folder, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}
