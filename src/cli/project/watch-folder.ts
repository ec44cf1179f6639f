import { type FSWatcher, readdirSync, realpathSync, statSync, watch } from 'node:fs';
import path from 'node:path';

/** Options of {@link watchFolder}. */
export interface WatchFolderOptions {
  signal: AbortSignal;
  onChange: () => void;
  /** It can't be watched (any more): changes are not seen until the next start. */
  onLost: (error: Error) => void;
}

type Watching = Omit<WatchFolderOptions, 'signal'>;

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

function watchAll(folder: string, { onChange, onLost }: Watching): { close(): void } {
  const isFolder = statSync(folder).isDirectory();
  if (isFolder && !HAS_RECURSIVE) return new TreeWatch(folder, { onChange, onLost });
  // Editors put a new file in the place of the old one, which a watch on the old one would not see.
  const watcher = watch(isFolder ? folder : path.dirname(folder), { recursive: isFolder });
  watcher.on('change', onChange);
  watcher.on('error', onLost);
  return watcher;
}

/**
 * Watches a folder and all below it, with one watch a folder. Node's recursive watch watches files where the system has
 * none of its own (Linux): the second time that a file is saved by renaming another one over it, nobody would hear of it.
 */
class TreeWatch {
  readonly #root: string;
  readonly #options: Watching;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Tells when the root itself is put in the place of another. */
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

  /** @param above The real folders above it: a link to one of them would go round for ever. */
  #watch(folder: string, above: ReadonlySet<string>): void {
    try {
      const real = realpathSync(folder);
      if (above.has(real)) return;
      const here = new Set(above).add(real);
      // Before its contents are listed: what comes later is told, what came before is in the list.
      this.#watchers.set(folder, this.#watcherOf(folder, here));
      for (const name of readdirSync(folder)) if (isWatched(folder, name)) this.#watch(path.join(folder, name), here);
    } catch (error) {
      // It may be gone by now, which the folder above tells.
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

  /** Something of this name has come, gone, or been replaced. */
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

/** Handlers and templates are not looked for in other folders; packages and data change often. */
function isWatched(folder: string, name: string): boolean {
  if (name.startsWith('.') || name === 'node_modules') return false;
  return statSync(path.join(folder, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}
