import { createHash, randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * The memory of a service in the demo: entries by idempotency key, each in its own file in a folder.
 *
 * A file is written under a temporary name and then linked to its final name. An entry is therefore complete or absent, even
 * after kill -9. If two processes create the same entry, one succeeds, and the other reads its entry.
 */
export class Ledger {
  #folder;
  /** The entries read so far, by file name. @type {Map<string, object>} */
  #entries = new Map();

  /** Opens or creates the folder. Throws the error of the file system. */
  constructor(folder) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** Returns the entry with this key, if it exists. */
  get(key) {
    this.#readNew();
    return this.#entries.get(fileOf(key));
  }

  /** Creates an entry, unless it exists. Returns the stored entry. */
  put(key, entry) {
    const part = path.join(this.#folder, `${randomUUID()}.part`);
    writeFileSync(part, JSON.stringify({ key, ...entry }));
    try {
      linkSync(part, path.join(this.#folder, fileOf(key)));
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    } finally {
      rmSync(part);
    }
    return this.get(key);
  }

  /** Returns all entries of a kind. */
  of(kind) {
    this.#readNew();
    return [...this.#entries.values()].filter((entry) => entry.kind === kind);
  }

  /** Reads new entries, including those of other processes of the shop. Ignores unlinked files of killed processes. */
  #readNew() {
    for (const name of readdirSync(this.#folder)) {
      if (!name.endsWith('.json') || this.#entries.has(name)) continue;
      this.#entries.set(name, JSON.parse(readFileSync(path.join(this.#folder, name), 'utf8')));
    }
  }
}

function fileOf(key) {
  return `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`;
}
