import { readFileSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Surroundings } from '../../config/surroundings.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';
import { formatProblem, parseTemplate, type TemplateProblem } from '../../template/parse-template.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { templateOfObject } from '../../template/template-of-object.ts';
import { MIN_CACHED_FILES, TemplateCache } from './template-cache.ts';

/** A template as a plain object, with the keys of a template file. */
export interface TemplateObject {
  readonly name: string;
  readonly steps: readonly object[];
  readonly [key: string]: unknown;
}

type OneSource = string | TaskTemplate | TemplateObject;

/** The `templates` option of `createTasker`: a folder, a file, a parsed template, a plain object, or a list of these. */
export type TemplateSource = OneSource | readonly OneSource[];

/** The outcome of {@link readTemplates}. */
export interface LoadedTemplates {
  templates: TaskTemplate[];
  /** Warnings; from {@link readTemplates} also errors. */
  problems: TemplateProblem[];
  files: string[];
  /** The file of each template that was read from one. */
  fileOf: Map<TaskTemplate, string>;
  /** Namespaces in the files with errors. */
  brokenNamespaces: string[];
  /** Folders without a template file. */
  emptyFolders: string[];
}

const IS_TEMPLATE = /\.ya?ml$/i;
const LARGEST_FILE = 1_048_576;

/** Returns the file, or the template files of a folder. Skips `node_modules` below the folder, but not above it. */
async function filesOf(source: string, cwd: string): Promise<string[]> {
  if (source.includes('\n')) {
    throw new TaskerError(
      'template_invalid',
      'templates: a string of several lines is not a path; pass a template as mustParseTemplate(text)',
    );
  }
  const place = path.resolve(cwd, source);
  const info = await stat(place).catch((error: NodeJS.ErrnoException) => {
    const why =
      error.code === 'ENOENT' ? 'does not exist; pass a template file or a folder' : `cannot be read (${error.code})`;
    throw new TaskerError('template_invalid', `templates: ${place} ${why}`, { cause: error });
  });
  if (!info.isDirectory()) return [source];
  const entries = await readdir(place, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && IS_TEMPLATE.test(entry.name))
    .map((entry) => path.relative(place, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.split(path.sep).includes('node_modules'))
    .map((file) => path.join(source, file))
    .sort();
}

/**
 * Reads templates, and collects the problems of all files. Omits broken templates. Paths are relative to `cwd`, and the
 * files are named as the paths are written.
 */
export async function readTemplates(
  source: TemplateSource,
  environment: string,
  { cwd = '.' }: Partial<Surroundings> = {},
): Promise<LoadedTemplates> {
  const loaded: LoadedTemplates = {
    templates: [],
    problems: [],
    files: [],
    fileOf: new Map(),
    brokenNamespaces: [],
    emptyFolders: [],
  };
  const sources = Array.isArray(source) ? (source as readonly OneSource[]) : [source as OneSource];
  for (const [at, one] of sources.entries()) {
    if (typeof one !== 'string') {
      const { template, problems } = templateOfObject(one, { at: Array.isArray(source) ? at : undefined, environment });
      loaded.problems.push(...problems);
      if (template) loaded.templates.push(template);
      continue;
    }
    const files = await filesOf(one, cwd);
    if (files.length === 0) loaded.emptyFolders.push(one);
    const cache = files.length < MIN_CACHED_FILES ? undefined : new TemplateCache(path.resolve(cwd, one), environment);
    for (const file of files) readInto(loaded, file, { environment, cwd, cache });
    cache?.save();
  }
  return loaded;
}

/** Synchronous, because for a hundred small files, promises cost more than reading. */
function readInto(
  loaded: LoadedTemplates,
  file: string,
  { environment, cwd, cache }: { environment: string; cwd: string; cache: TemplateCache | undefined },
): void {
  loaded.files.push(file);
  const text = textOf(file, cwd);
  if (typeof text !== 'string') {
    loaded.problems.push(text);
    return;
  }
  let template = cache?.get(text) ?? null;
  if (!template) {
    const parsed = parseTemplate(text, { file, environment });
    loaded.problems.push(...parsed.problems);
    template = parsed.template;
    if (template && parsed.problems.length === 0) cache?.add(text, template);
  }
  if (!template) {
    const [, namespace] = /^namespace(?:_name)?:\s*["']?(\w+)/m.exec(text) ?? [];
    if (namespace !== undefined) loaded.brokenNamespaces.push(namespace);
    return;
  }
  loaded.templates.push(template);
  loaded.fileOf.set(template, file);
}

/**
 * Returns the file's text, or the reason why it cannot be read. An unreadable file must not hide the problems of
 * others.
 */
function textOf(file: string, cwd: string): string | TemplateProblem {
  try {
    const place = path.resolve(cwd, file);
    const { size } = statSync(place);
    if (size <= LARGEST_FILE) return readFileSync(place, 'utf8');
    const message = `the file has ${size} bytes; a template may have at most ${LARGEST_FILE}: split it into several templates`;
    return problemWith(file, 'file_too_large', message);
  } catch (error) {
    return problemWith(file, 'file_unreadable', `the file cannot be read: ${messageOf(error)}`);
  }
}

function problemWith(file: string, code: string, message: string): TemplateProblem {
  return { severity: 'error', code, message, file, line: 1, column: 1, path: '' };
}

/**
 * Reads templates, all of which must be valid.
 * @throws TaskerError `template_invalid` with every error of every file
 */
export async function loadTemplates(
  source: TemplateSource,
  environment: string,
  where: Partial<Surroundings> = {},
): Promise<LoadedTemplates> {
  const loaded = await readTemplates(source, environment, where);
  const errors = loaded.problems.filter((problem) => problem.severity === 'error');
  if (errors.length > 0) {
    throw new TaskerError('template_invalid', errors.map(formatProblem).join('\n'), { details: { problems: errors } });
  }
  return loaded;
}

/**
 * Checks that every folder has a template file, because a folder without one is usually the wrong folder.
 * @throws TaskerError `template_invalid` with the path
 */
export function checkFolders({ emptyFolders }: LoadedTemplates): void {
  const [empty] = emptyFolders;
  if (empty === undefined) return;
  throw new TaskerError(
    'template_invalid',
    `templates: ${path.resolve(empty)} has no template files (*.yaml or *.yml, except in node_modules below it); pass the folder that has them, or add one`,
  );
}

/**
 * Returns the warning for a worker without templates and namespaces. Returns undefined if the worker has templates or
 * namespaces, or if its list of templates is empty on purpose.
 */
export function withoutTemplates(
  source: TemplateSource | undefined,
  { namespaces, found }: { namespaces: readonly string[] | undefined; found: number },
): string | undefined {
  if (found > 0 || namespaces !== undefined) return undefined;
  const sources = source === undefined ? [] : [source].flat();
  if (source !== undefined && sources.length === 0) return undefined;
  const places = sources.flatMap((one) => (typeof one === 'string' ? [path.resolve(one)] : []));
  const where = places.length > 0 ? places.join(', ') : 'config/tasks or templates of this project';
  return `no templates found in ${where}; this worker serves the templates in the database`;
}

/** Returns the template for which `name` is probably a misspelling. */
export function similarTemplate<T extends { name: string }>(name: string, templates: readonly T[]): T | undefined {
  const [near] = nearNames(
    name,
    templates.map((template) => template.name),
    1,
  );
  return templates.find((template) => template.name === near);
}
