import path from 'node:path';
import { CONFIG_KEYS } from './config-keys.ts';
import type { ConfigProblem } from './config-problem.ts';
import { type ConfigHome, environmentsOf, layerFiles } from './find-config.ts';
import { type MergedConfig, mergeFiles, valueAt } from './toml/merge-files.ts';
import { readToml, type TomlFile } from './toml/read-toml.ts';

/** The configuration on disk, merged into one table. */
export interface ReadHome {
  merged: MergedConfig;
  /** The environment whose layer was read. */
  environment: string;
  files: string[];
  errors: ConfigProblem[];
  warnings: ConfigProblem[];
}

/** Options of {@link readHome}. Without `env`, variables are not replaced. */
export interface ReadHomeOptions {
  env: NodeJS.ProcessEnv | undefined;
  cwd: string;
  /** Default: the environment in `base/`, else development. */
  environment: string | undefined;
  /** The source of `environment`, for messages. Default `TASKER_ENV`. */
  environmentBy?: string;
  /** The names of the files to read from a folder. Default: all. */
  contexts?: readonly string[];
}

/** Reads a file, or the layers of a folder. */
export function readHome(home: ConfigHome, options: ReadHomeOptions): ReadHome {
  const read = (file: string): TomlFile => readToml(file, { shown: shownAs(file, options.cwd), env: options.env });
  const files = (home.kind === 'file' ? [home.path] : layerFiles(path.join(home.path, 'base'), options.contexts)).map(
    read,
  );
  const configured = valueAt(mergeFiles(files).table, CONFIG_KEYS.environment.path);
  const wanted = options.environment ?? (typeof configured === 'string' && configured !== '' ? configured : undefined);
  const errors: ConfigProblem[] = [];
  const named = isLayerName(wanted) ? wanted : undefined;
  if (home.kind === 'folder' && wanted !== named) {
    const where =
      options.environment === undefined ? shownAs(home.path, options.cwd) : (options.environmentBy ?? 'TASKER_ENV');
    errors.push({
      where,
      message: `${JSON.stringify(wanted)} is not the name of an environment; use letters, digits, - and _, as in production`,
    });
  }
  const environment = named ?? CONFIG_KEYS.environment.byDefault;
  const warnings: ConfigProblem[] = [];
  if (home.kind === 'folder') {
    files.push(...layerFiles(path.join(home.path, 'environments', environment), options.contexts).map(read));
    const there = environmentsOf(home.path);
    if (named !== undefined && there.length > 0 && !there.includes(named)) {
      const message = `folder environments/${environment} not found, so only base/ is used; the environments are ${there.join(', ')}`;
      warnings.push({ where: shownAs(home.path, options.cwd), message });
    }
  }
  return {
    merged: mergeFiles(files),
    environment,
    files: files.map(({ file }) => path.resolve(options.cwd, file)),
    errors: [...errors, ...files.flatMap(({ problems }) => problems)],
    warnings,
  };
}

/** Returns whether a name is a single folder name. The environment must not select files elsewhere. */
function isLayerName(name: string | undefined): boolean {
  return name !== undefined && /^\w[\w.-]*$/.test(name);
}

/** Returns a path for messages: relative if it is in `cwd`. */
export function shownAs(file: string, cwd: string): string {
  const relative = path.relative(cwd, file);
  return relative.startsWith('..') || relative === '' ? file : relative;
}
