import { createHash, randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * What a service of the demo remembers: entries by idempotency key, each a file of its own in one folder.
 *
 * A file is written under another name and then linked to its own. So a kill -9 at any moment leaves an entry whole or
 * absent, and of two processes that make the same entry one wins and the other reads what it wrote.
 */
export class Ledger {
  #folder;
  /** What was read so far, by file name. @type {Map<string, object>} */
  #entries = new Map();

  /** Opens the folder, or makes it; throws what the file system says when it can't. */
  constructor(folder) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** The entry made under this key, if there is one. */
  get(key) {
    this.#readNew();
    return this.#entries.get(fileOf(key));
  }

  /** Makes an entry; when it is there already, that one stands. Gives the one that stands. */
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

  /** All entries of one kind. */
  of(kind) {
    this.#readNew();
    return [...this.#entries.values()].filter((entry) => entry.kind === kind);
  }

  /** Another process may serve the same shop: what it wrote counts too. What lies there unlinked is of one that was killed. */
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
