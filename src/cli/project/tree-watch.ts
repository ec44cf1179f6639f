import { type FSWatcher, readdirSync, realpathSync, statSync, watch } from 'node:fs';
import path from 'node:path';

/** Options of {@link TreeWatch}. */
export interface TreeWatchOptions {
  onChange: () => void;
  onLost: (error: Error) => void;
}

/**
 * Watches a folder and all below it, with one watch a folder. Node's recursive watch watches files where the system has
 * none of its own (Linux): the second time that a file is saved by renaming another one over it, nobody would hear of it.
 */
export class TreeWatch {
  readonly #root: string;
  readonly #options: TreeWatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Tells when the root itself is put in the place of another. */
  readonly #beside: FSWatcher;

  constructor(root: string, options: TreeWatchOptions) {
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
