import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Metafile } from 'esbuild';
import { BUNDLE } from '../handlers/failures/backtrace.ts';

/** Files that affect how imports are resolved and compiled, in a folder and all folders above it. */
const RESOLUTION_FILES = [
  'package.json',
  'tsconfig.json',
  'node_modules/.package-lock.json',
  'node_modules/.modules.yaml',
  'node_modules/.yarn-state.yml',
];

/**
 * If a file is read within this time after a modification, a later change may leave the modification time unchanged.
 */
const SETTLED_MS = 50;

interface Manifest {
  /** Hash of the compiler; see {@link compiler}. */
  by: string;
  files: readonly string[];
  /** Modification time and size by path; null if the file did not exist. */
  stamps: Readonly<Record<string, string | null>>;
  outputs: readonly string[];
  bundles: Readonly<Record<string, string>>;
}

/** The path of the manifest in a cache folder. */
export function manifestFile(cache: string): string {
  return path.join(cache, 'manifest.json');
}

/** The result of an earlier build. */
export interface BuiltBefore {
  /** Bundles by their source file. */
  bundles: Map<string, string>;
  /** All files that were written, including the shared modules. */
  outputs: readonly string[];
}

/**
 * Returns the bundles of an earlier build of these files if they are still valid. A build is invalid after a change of
 * its source files or their folders, of the files that affect how imports are resolved, or of the compiler. A build
 * with a missing output is also invalid.
 */
export function builtBefore(cache: string, files: readonly string[]): BuiltBefore | undefined {
  const manifest = read(manifestFile(cache));
  if (manifest === undefined || manifest.by !== compiler()) return undefined;
  if (manifest.files.length !== files.length || manifest.files.some((file, i) => file !== files[i])) return undefined;
  for (const [file, stamp] of Object.entries(manifest.stamps)) if (stampOf(file)?.text !== (stamp ?? undefined)) return;
  for (const file of manifest.outputs) if (!stampOf(file)) return undefined;
  return { bundles: new Map(Object.entries(manifest.bundles)), outputs: manifest.outputs };
}

/** A build that has just finished. */
export interface Built {
  root: string;
  files: readonly string[];
  metafile: Metafile;
  bundles: ReadonlyMap<string, string>;
  /** The value of `Date.now()` before the first file was read. */
  startedAt: number;
}

/** Writes the manifest for {@link builtBefore}, unless a file may have changed while it was read. */
export function keepManifest(cache: string, { root, files, metafile, bundles, startedAt }: Built): void {
  const by = compiler();
  if (by === undefined) return;
  const stamps: Record<string, string | null> = {};
  for (const file of watched(root, metafile)) {
    const stamp = stampOf(file);
    if (stamp && stamp.changedAt > startedAt - SETTLED_MS) return;
    // The extended file may be anywhere, and a change to it would go unnoticed.
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
    rmSync(part, { force: true }); // for example, the disk is full; the files are built again on the next startup
  }
}

/**
 * Returns the inputs, their folders, the packages that are not bundled, and the {@link RESOLUTION_FILES} of each
 * folder.
 */
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
  for (const folder of withAncestors(folders)) for (const name of RESOLUTION_FILES) all.add(path.join(folder, name));
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

/**
 * Returns a hash of Node, esbuild and this package. Undefined if they cannot be read, for example because this package
 * is part of a user's bundle.
 */
function compiler(): string | undefined {
  try {
    const own = fileURLToPath(import.meta.url);
    // In a checkout, the code changes without a new version. A build writes all files of the bundle.
    const changing = BUNDLE
      ? [fileURLToPath(new URL('index.js', BUNDLE))]
      : ['bundle-handlers', 'with-esbuild'].map((name) => path.join(own, '..', name + path.extname(own)));
    const packages = [
      fileURLToPath(new URL('../../package.json', import.meta.url)),
      createRequire(import.meta.url).resolve('esbuild/package.json'),
    ];
    const hash = createHash('sha256').update(process.version);
    for (const file of changing) hash.update(`${file} ${statSync(file).mtimeMs}`);
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
    return undefined; // missing or incomplete
  }
}
