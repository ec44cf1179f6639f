import path from 'node:path';
import { CONFIG_KEYS } from './config-keys.ts';
import type { ConfigProblem } from './config-problem.ts';
import { type ConfigHome, environmentsOf, layerFiles } from './find-config.ts';
import { type MergedConfig, mergeFiles, valueAt } from './toml/merge-files.ts';
import { readToml, type TomlFile } from './toml/read-toml.ts';

/** What is on disk, as one table. */
export interface ReadHome {
  merged: MergedConfig;
  /** The environment whose layer was used. */
  environment: string;
  files: string[];
  errors: ConfigProblem[];
  warnings: ConfigProblem[];
}

/** How to read it. Without `env` variables stay as they are written. */
export interface ReadHomeOptions {
  env: NodeJS.ProcessEnv | undefined;
  cwd: string;
  /** Undefined: what `base/` says, else development. */
  environment: string | undefined;
  /** Who said so, for messages. */
  environmentBy?: string;
  /** Which files of a folder. Default: all. */
  contexts?: readonly string[];
}

/** Reads a file, or the layers of a folder. */
export function readHome(home: ConfigHome, options: ReadHomeOptions): ReadHome {
  const read = (file: string): TomlFile => readToml(file, { shown: shownAs(file, options.cwd), env: options.env });
  const files = (home.kind === 'file' ? [home.path] : layerFiles(path.join(home.path, 'base'), options.contexts)).map(
    read,
  );
  const said = valueAt(mergeFiles(files).table, CONFIG_KEYS.environment.path);
  const wanted = options.environment ?? (typeof said === 'string' && said !== '' ? said : undefined);
  const errors: ConfigProblem[] = [];
  const named = isLayerName(wanted) ? wanted : undefined;
  if (home.kind === 'folder' && wanted !== named) {
    const where =
      options.environment === undefined ? shownAs(home.path, options.cwd) : (options.environmentBy ?? 'TASKER_ENV');
    errors.push({
      where,
      message: `${JSON.stringify(wanted)} is no name of an environment; one has letters, digits, - and _, such as production`,
    });
  }
  const environment = named ?? CONFIG_KEYS.environment.byDefault;
  const warnings: ConfigProblem[] = [];
  if (home.kind === 'folder') {
    files.push(...layerFiles(path.join(home.path, 'environments', environment), options.contexts).map(read));
    const there = environmentsOf(home.path);
    if (named !== undefined && there.length > 0 && !there.includes(named)) {
      const message = `there is no environments/${environment}; base/ alone counts (there are ${there.join(', ')})`;
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

/** Whether it names one folder: whoever sets the environment must not choose files elsewhere. */
function isLayerName(name: string | undefined): boolean {
  return name !== undefined && /^\w[\w.-]*$/.test(name);
}

/** A path as people want to read it: relative where that is shorter. */
export function shownAs(file: string, cwd: string): string {
  const relative = path.relative(cwd, file);
  return relative.startsWith('..') || relative === '' ? file : relative;
}
