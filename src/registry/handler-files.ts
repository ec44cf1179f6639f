import { readdirSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { TaskerError } from '../errors.ts';

/** The files of a handlers folder, absolute and sorted, and the code files that were skipped, with the reason. */
export interface HandlerFiles {
  root: string;
  files: string[];
  leftOut: { file: string; reason: string }[];
}

const CODE = /\.(ts|mts|js|mjs)$/;
const DECLARATION = /\.d\.(ts|mts)$/;
const TEST = /\.(test|spec)\.[^.]+$/;

/**
 * Finds the files of a folder that may contain handlers, or takes a single file. Skips names that begin with `_` or `.`,
 * declarations, tests and `node_modules`. Throws `handler_not_found` if the folder does not exist.
 */
export function handlerFiles(folder: string): HandlerFiles {
  const root = path.resolve(folder);
  const stat = statSync(root, { throwIfNoEntry: false });
  if (!stat) throw new TaskerError('handler_not_found', `handlers folder ${root} does not exist${hintFor(folder)}`);
  if (stat.isFile()) return { root: path.dirname(root), files: [root], leftOut: [] };

  const found = walk(root, new Set());
  const names = new Set(found);
  const files: string[] = [];
  const leftOut: HandlerFiles['leftOut'] = [];
  for (const file of found.sort()) {
    const source = file.replace(/\.(m?)js$/, '.$1ts');
    if (source !== file && names.has(source)) leftOut.push({ file, reason: `${path.basename(source)} is its source` });
    else files.push(file);
  }
  return { root, files, leftOut };
}

function walk(folder: string, above: ReadonlySet<string>): string[] {
  // A link to a parent folder would recurse forever.
  const real = realpathSync(folder);
  if (above.has(real)) return [];
  const here = new Set(above).add(real);

  return readdirSync(folder).flatMap((name) => {
    if (isSkipped(name)) return [];
    const file = path.join(folder, name);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return walk(file, here);
    return stat?.isFile() && CODE.test(name) && !DECLARATION.test(name) && !TEST.test(name) ? [file] : [];
  });
}

/** Returns whether discovery would read a path, given relative to the handlers folder. */
export function mayHoldHandlers(relative: string): boolean {
  return !relative.split(path.sep).some(isSkipped) && !DECLARATION.test(relative) && !TEST.test(relative);
}

function isSkipped(name: string): boolean {
  return /^[_.]/.test(name) || name === 'node_modules';
}

function hintFor(folder: string): string {
  const dotted = /^\w+(\.\w+)+$/.test(folder);
  return dotted ? `; give a folder, not a dotted name: ./${folder.replaceAll('.', '/')}` : '';
}
