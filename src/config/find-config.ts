import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { TaskerError } from '../errors.ts';
import { DEFAULTS } from './defaults.ts';

/** The names of the files in a configuration folder, each for one part of Tasker. */
export const CONTEXT_FILES = ['common', 'orchestration', 'worker'] as const;

/** The scope of a configuration file: one of {@link CONTEXT_FILES}, or all of them. */
export type ConfigContext = (typeof CONTEXT_FILES)[number] | 'complete';

/** Configuration on disk: one file, or a folder with `base/` and `environments/`. */
export interface ConfigHome {
  kind: 'file' | 'folder';
  path: string;
}

/** Returns the folder of the nearest package.json in `cwd` or above, or `cwd` if there is none. */
export function projectRoot(cwd: string): string {
  for (let folder = cwd; ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'package.json'))) return folder;
    if (folder === path.dirname(folder)) return cwd;
  }
}

/** Returns the folders from `cwd` up to the project's root. */
function foldersUpTo(root: string, cwd: string): string[] {
  const folders = [cwd];
  for (let folder = cwd; folder !== root; folder = path.dirname(folder)) folders.push(path.dirname(folder));
  return folders;
}

const FILES = ['tasker.toml', path.join('config', 'tasker.toml')];
const FOLDER = path.join('config', 'tasker');

/**
 * Finds `tasker.toml`, `config/tasker.toml` or `config/tasker/base/` of the project. Returns undefined if the project
 * has none.
 */
export function detectConfig(cwd: string): ConfigHome | undefined {
  for (const folder of foldersUpTo(projectRoot(cwd), cwd)) {
    const file = FILES.map((name) => path.join(folder, name)).find(isFile);
    if (file !== undefined) return { kind: 'file', path: file };
    const layers = path.join(folder, FOLDER);
    if (isFolder(path.join(layers, 'base'))) return { kind: 'folder', path: layers };
  }
  return undefined;
}

/** Finds the configuration at a given path. @throws TaskerError `config_invalid` if nothing is there */
export function namedConfig(named: string, { cwd, by }: { cwd: string; by: string }): ConfigHome {
  const full = path.resolve(cwd, named);
  if (isFile(full)) return { kind: 'file', path: full };
  if (isFolder(path.join(full, 'base'))) return { kind: 'folder', path: full };
  const why = isFolder(full) ? 'is a folder without base/' : 'does not exist';
  const message = `${full} ${why}; name a TOML file, or a folder with base/ and environments/`;
  throw new TaskerError('config_invalid', `${by}: ${message}`, { details: { where: by, message } });
}

/** The default folder of templates: the nearest `config/tasks` or `templates` of the project. Empty if there is none. */
export function detectTemplates(cwd: string): string[] {
  for (const folder of foldersUpTo(projectRoot(cwd), cwd)) {
    const found = [path.join('config', 'tasks'), 'templates'].map((name) => path.join(folder, name)).find(isFolder);
    if (found !== undefined) return [found];
  }
  return [];
}

/**
 * The embedded server's folder if none is configured: the nearest one in the project that has a database, else one in
 * `cwd`.
 */
export function detectEmbedded(cwd: string): string {
  const hasDatabase = (folder: string) => existsSync(path.join(folder, DEFAULTS.embeddedFolder, 'postgres'));
  const found = foldersUpTo(projectRoot(cwd), cwd).find(hasDatabase) ?? cwd;
  return found === cwd ? DEFAULTS.embeddedFolder : path.join(found, DEFAULTS.embeddedFolder);
}

/** The files of one layer, which is a folder such as `base`. */
export function layerFiles(layer: string, contexts: readonly string[] = CONTEXT_FILES): string[] {
  return contexts.map((context) => path.join(layer, `${context}.toml`)).filter(isFile);
}

/** Returns the environments that have a layer in a configuration folder. */
export function environmentsOf(folder: string): string[] {
  const environments = path.join(folder, 'environments');
  if (!isFolder(environments)) return [];
  return readdirSync(environments).filter((name) => isFolder(path.join(environments, name)));
}

const isFile = (one: string): boolean => statSync(one, { throwIfNoEntry: false })?.isFile() ?? false;
const isFolder = (one: string): boolean => statSync(one, { throwIfNoEntry: false })?.isDirectory() ?? false;
