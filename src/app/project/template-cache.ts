import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../../config/package-version.ts';
import { cacheFolder, removeStale } from '../../registry/bundle-cache.ts';
import type { TaskTemplate } from '../../template/task-template.ts';

/** Fewer files are read faster than one learns that they need not be. */
export const FEWEST_CACHED = 10;

type Entries = Readonly<Record<string, TaskTemplate>>;

/**
 * What the files of a folder came to when they were read before: parsing and checking a hundred templates takes a second
 * of a worker's start. Only templates with nothing to say about them are kept, by the text they were made of. Without a
 * place to write to, or with a cache that can't be read, files are simply read again.
 */
export class TemplateCache {
  readonly #file: string | undefined;
  readonly #before: Entries;
  readonly #now: Record<string, TaskTemplate> = {};
  #changed = false;

  /** `environment`: whose overrides are in the templates. */
  constructor(folder: string, environment: string) {
    this.#file = placeFor(folder, environment);
    this.#before = this.#file === undefined ? {} : read(this.#file);
  }

  /** The template that this text came to; undefined: it must be parsed. */
  get(text: string): TaskTemplate | undefined {
    const key = keyOf(text);
    // Not `in`: the names of what every object has are no keys, and neither may they be taken for one.
    const template = Object.hasOwn(this.#before, key) ? this.#before[key] : undefined;
    if (!template) return undefined;
    // Each file has a template of its own, also of two with the same text.
    if (Object.hasOwn(this.#now, key)) return structuredClone(template);
    this.#now[key] = template;
    return template;
  }

  add(text: string, template: TaskTemplate): void {
    this.#now[keyOf(text)] = template;
    this.#changed = true;
  }

  /** Keeps what was asked for and added; the rest is of files that are gone. */
  save(): void {
    if (this.#file === undefined || !this.#changed) return;
    const part = `${this.#file}.${randomUUID()}`;
    try {
      writeFileSync(part, JSON.stringify(this.#now));
      renameSync(part, this.#file);
      removeStale(path.dirname(this.#file), new Set([this.#file]));
    } catch {
      rmSync(part, { force: true }); // a full disk, say: the next start parses again
    }
  }
}

const keyOf = (text: string) => createHash('sha256').update(text).digest('base64url');

function placeFor(folder: string, environment: string): string | undefined {
  try {
    const name = createHash('sha256').update(`${rulesVersion()} ${environment}`).digest('hex').slice(0, 16);
    return path.join(cacheFolder(path.resolve(folder), 'templates'), `${name}.json`);
  } catch {
    return undefined; // there is no place to write to
  }
}

/** Of the code that parses and checks: in a checkout it changes without the package's version. */
function rulesVersion(): string {
  const rules = fileURLToPath(new URL('../../template/', import.meta.url));
  const newest = Math.max(...readdirSync(rules).map((name) => statSync(path.join(rules, name)).mtimeMs));
  return `${packageVersion()} ${rules} ${newest}`;
}

function read(file: string): Entries {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Entries;
  } catch {
    return {}; // none yet, or not whole
  }
}
