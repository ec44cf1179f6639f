import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Metafile } from 'esbuild';

/** Files whose contents, or whose being there, say how imports are resolved and compiled: in every folder on the way up. */
const SURROUNDINGS = [
  'package.json',
  'tsconfig.json',
  'node_modules/.package-lock.json',
  'node_modules/.modules.yaml',
  'node_modules/.yarn-state.yml',
];

/** A file that changed less than this before it was read may change again without a later time of change. */
const SETTLED_MS = 50;

interface Manifest {
  /** What compiled it. */
  by: string;
  files: readonly string[];
  /** By path; null: it was not there. */
  stamps: Readonly<Record<string, string | null>>;
  outputs: readonly string[];
  bundles: Readonly<Record<string, string>>;
}

/** Where a folder's manifest is kept. */
export function manifestFile(cache: string): string {
  return path.join(cache, 'manifest.json');
}

/** What an earlier build came to. */
export interface BuiltBefore {
  /** By the file that each was made of. */
  bundles: Map<string, string>;
  /** All that was written, what bundles share included. */
  outputs: readonly string[];
}

/**
 * The bundles of an earlier build of these files, if nothing has changed since that could lead to others: neither a file
 * that is in them, nor a folder in which an import was looked for, nor how this project resolves imports.
 */
export function builtBefore(cache: string, files: readonly string[]): BuiltBefore | undefined {
  const manifest = read(manifestFile(cache));
  if (manifest === undefined || manifest.by !== compiler()) return undefined;
  if (manifest.files.length !== files.length || manifest.files.some((file, i) => file !== files[i])) return undefined;
  for (const [file, stamp] of Object.entries(manifest.stamps)) if (stampOf(file)?.text !== (stamp ?? undefined)) return;
  for (const file of manifest.outputs) if (!stampOf(file)) return undefined;
  return { bundles: new Map(Object.entries(manifest.bundles)), outputs: manifest.outputs };
}

/** What is known of a build that has just been made. */
export interface Built {
  root: string;
  files: readonly string[];
  metafile: Metafile;
  bundles: ReadonlyMap<string, string>;
  /** By the clock of `Date.now()`, before the first file was read. */
  startedAt: number;
}

/** Keeps what {@link builtBefore} needs; nothing is kept of files that may have changed while they were read. */
export function keepManifest(cache: string, { root, files, metafile, bundles, startedAt }: Built): void {
  const by = compiler();
  if (by === undefined) return;
  const stamps: Record<string, string | null> = {};
  for (const file of watched(root, metafile)) {
    const stamp = stampOf(file);
    if (stamp && stamp.changedAt > startedAt - SETTLED_MS) return;
    // What it extends may be anywhere.
    if (stamp && path.basename(file) === 'tsconfig.json' && readFileSync(file, 'utf8').includes('"extends"')) return;
    stamps[file] = stamp?.text ?? null;
  }
  const outputs = Object.keys(metafile.outputs).map((name) => path.resolve(root, name));
  const manifest: Manifest = { by, files, stamps, outputs, bundles: Object.fromEntries(bundles) };
  const part = `${manifestFile(cache)}.${randomUUID()}`;
  try {
    writeFileSync(part, JSON.stringify(manifest));
    renameSync(part, manifestFile(cache));
  } catch {
    rmSync(part, { force: true }); // a full disk, say: the next start bundles again
  }
}

/** Inputs, their folders, the packages that stay outside, and the surroundings of all. */
function watched(root: string, { inputs, outputs }: Metafile): Set<string> {
  const all = new Set<string>();
  const folders = new Set([root]);
  for (const input of Object.keys(inputs)) {
    const file = path.resolve(root, input);
    all.add(file).add(path.dirname(file));
    folders.add(path.dirname(file));
  }
  for (const { imports } of Object.values(outputs)) {
    for (const { path: file, external } of imports) {
      if (external && file.startsWith('file:')) all.add(fileURLToPath(file));
      else if (external && path.isAbsolute(file)) all.add(file);
    }
  }
  for (const folder of withAncestors(folders)) for (const name of SURROUNDINGS) all.add(path.join(folder, name));
  return all;
}

function withAncestors(folders: Iterable<string>): Set<string> {
  const all = new Set<string>();
  for (const folder of folders) {
    for (let at = folder; !all.has(at); at = path.dirname(at)) all.add(at);
  }
  return all;
}

function stampOf(file: string) {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat && { text: `${stat.mtimeMs} ${stat.size}`, changedAt: stat.mtimeMs };
}

/** Node, esbuild and this package; undefined where they can't be told, as when this package was bundled itself. */
function compiler(): string | undefined {
  const own = fileURLToPath(import.meta.url);
  const beside = ['bundle-handlers', 'with-esbuild'].map((name) => path.join(own, '..', name + path.extname(own)));
  try {
    const packages = [
      fileURLToPath(new URL('../../package.json', import.meta.url)),
      createRequire(import.meta.url).resolve('esbuild/package.json'),
    ];
    const hash = createHash('sha256').update(process.version);
    // The package's own code changes without its version in a checkout.
    for (const file of beside) hash.update(`${statSync(file).mtimeMs}`);
    for (const file of packages) hash.update(readFileSync(file));
    return hash.digest('hex');
  } catch {
    return undefined;
  }
}

function read(file: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  } catch {
    return undefined; // none yet, or not whole
  }
}
