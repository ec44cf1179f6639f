import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../../config/package-version.ts';
import { BUNDLE } from '../../handlers/failures/backtrace.ts';
import { cacheFolder, removeStale } from '../../registry/bundle-cache.ts';
import type { TaskTemplate } from '../../template/task-template.ts';

/** With fewer files than this, parsing is faster than the cache. */
export const MIN_CACHED_FILES = 10;

type Entries = Readonly<Record<string, TaskTemplate>>;

/**
 * Caches the parsed templates of a folder, because parsing and checking a hundred templates adds a second to a worker's
 * startup. Keeps only templates without problems, by their text. If the cache cannot be written or read, the files are
 * parsed again.
 */
export class TemplateCache {
  readonly #file: string | undefined;
  readonly #before: Entries;
  readonly #now: Record<string, TaskTemplate> = {};
  #changed = false;

  /** `environment` selects the overrides in the templates. */
  constructor(folder: string, environment: string) {
    this.#file = placeFor(folder, environment);
    this.#before = this.#file === undefined ? {} : read(this.#file);
  }

  /** Returns the template for this text, or undefined if it must be parsed. */
  get(text: string): TaskTemplate | undefined {
    const key = keyOf(text);
    // Does not use `in`, which is also true for inherited names such as `constructor`.
    const template = Object.hasOwn(this.#before, key) ? this.#before[key] : undefined;
    if (!template) return undefined;
    // A copy, because two files with the same text must have separate template objects.
    if (Object.hasOwn(this.#now, key)) return structuredClone(template);
    this.#now[key] = template;
    return template;
  }

  add(text: string, template: TaskTemplate): void {
    this.#now[keyOf(text)] = template;
    this.#changed = true;
  }

  /** Writes the templates that were read or added. The others belong to files that no longer exist. */
  save(): void {
    if (this.#file === undefined || !this.#changed) return;
    const part = `${this.#file}.${randomUUID()}`;
    try {
      writeFileSync(part, JSON.stringify(this.#now));
      renameSync(part, this.#file);
      removeStale(path.dirname(this.#file), new Set([this.#file]));
    } catch {
      rmSync(part, { force: true }); // the disk may be full; the next start parses the files again
    }
  }
}

const keyOf = (text: string) => createHash('sha256').update(text).digest('base64url');

function placeFor(folder: string, environment: string): string | undefined {
  try {
    const name = createHash('sha256').update(`${rulesVersion()} ${environment}`).digest('hex').slice(0, 16);
    return path.join(cacheFolder(path.resolve(folder), 'templates'), `${name}.json`);
  } catch {
    return undefined; // no writable folder
  }
}

/**
 * The version of the parser. In a checkout, the parser can change without the package's version, so the time of the last
 * build or of the newest source is added.
 */
function rulesVersion(): string {
  if (BUNDLE) return `${packageVersion()} ${BUNDLE.href} ${statSync(new URL('index.js', BUNDLE)).mtimeMs}`;
  const rules = fileURLToPath(new URL('../../template/', import.meta.url));
  const newest = Math.max(...readdirSync(rules).map((name) => statSync(path.join(rules, name)).mtimeMs));
  return `${packageVersion()} ${rules} ${newest}`;
}

function read(file: string): Entries {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Entries;
  } catch {
    return {}; // missing or incomplete
  }
}
