import { statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, TaskerError } from '../errors.ts';
import { isHandlerClass, isStepHandler, type StepHandler, type StepHandlerClass } from '../handlers/step-handler.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import { bundleHandlers } from './bundle-handlers.ts';
import { type HandlerFiles, handlerFiles } from './handler-files.ts';
import type { HandlerRegistry } from './handler-registry.ts';

/** Options of {@link discoverHandlers}. */
export interface DiscoverOptions {
  /** Where the handlers are registered. */
  registry: HandlerRegistry;
  logger?: Logger;
}

/** What a file gave. */
export interface DiscoveredFile {
  /** Absolute. */
  file: string;
  /** The names of its handlers. */
  handlers: string[];
  /** Why it gave none. */
  reason?: string;
}

/** What {@link discoverHandlers} found. */
export interface Discovery {
  /** Handlers of different names. */
  count: number;
  files: DiscoveredFile[];
}

/**
 * Imports every TypeScript and JavaScript file of a folder, its subfolders included, and registers what is a handler
 * among their exports, under its `handlerName`. Names that begin with `_` or `.`, `*.test.*`, `*.spec.*`, `*.d.ts` and
 * `node_modules` are passed over. Called again, it loads what has changed and leaves the rest alone.
 *
 * Stack traces name the files as they were written: it switches on Node's source maps for the process.
 *
 * What a handler imports by a relative path becomes part of the bundles: a module that the application imports as well
 * exists twice in the process. Packages exist once.
 *
 * Throws `handler_not_found` without such a folder, and `handler_invalid`, naming the path, when a file does not compile
 * or throws while it is imported.
 *
 * @example
 * const { count } = await discoverHandlers('./handlers', { registry });
 */
export async function discoverHandlers(
  folder: string,
  { registry, logger = silentLogger }: DiscoverOptions,
): Promise<Discovery> {
  const found = handlerFiles(folder);
  process.setSourceMapsEnabled(true);
  const bundles = found.files.length === 0 ? new Map<string, string>() : await bundleHandlers(found);

  const files: DiscoveredFile[] = found.leftOut.map(({ file, reason }) => ({ file, handlers: [], reason }));
  const origins = new Map<string, { file: string; handler: Found }>();
  for (const file of found.files) {
    const module = await importBundle(file, bundles.get(file)!);
    const handlers = handlersIn(module);
    for (const handler of handlers) register(handler, file, { registry, logger, origins });
    files.push(
      handlers.length > 0 ? { file, handlers: handlers.map(nameOf) } : { file, handlers: [], reason: whyNone(module) },
    );
  }
  for (const { file, reason } of files)
    if (reason) logger.debug({ file, reason }, `no handler in ${relative(found, file)}`);
  return { count: origins.size, files };
}

type Found = StepHandlerClass | StepHandler;

interface Registration {
  registry: HandlerRegistry;
  logger: Logger;
  origins: Map<string, { file: string; handler: Found }>;
}

function register(handler: Found, file: string, { registry, logger, origins }: Registration): void {
  const name = nameOf(handler);
  const before = origins.get(name);
  if (before && before.handler !== handler) {
    logger.warn(
      { handler: name, files: [before.file, file] },
      `handler ${name} is in ${before.file} and in ${file}; the latter is used`,
    );
    registry.unregister(name);
  }
  origins.set(name, { file, handler });
  registry.register(name, handler);
}

async function importBundle(file: string, bundle: string): Promise<Record<string, unknown>> {
  try {
    const url = pathToFileURL(bundle);
    // A file that was not bundled keeps its name when it changes.
    if (bundle === file) url.searchParams.set('changed', String(statSync(file).mtimeMs));
    return (await import(url.href)) as Record<string, unknown>;
  } catch (cause) {
    throw new TaskerError('handler_invalid', `handlers file ${file}: importing it throws: ${messageOf(cause)}`, {
      cause,
      details: { file },
    });
  }
}

/** Each handler once, however many names it is exported by. */
function handlersIn(module: Record<string, unknown>): Found[] {
  const found = Object.values(module).filter((value) => isNamedClass(value) || isStepHandler(value));
  return [...new Set(found)] as Found[];
}

/** A class that inherits its `handlerName` is a base or a variant that was given none: registering it would hide the other. */
function isNamedClass(value: unknown): value is StepHandlerClass {
  return isHandlerClass(value) && Object.hasOwn(value, 'handlerName') && value.handlerName !== '';
}

function nameOf(handler: Found): string {
  return isStepHandler(handler) ? handler.name : handler.handlerName;
}

function whyNone(module: Record<string, unknown>): string {
  const exported = Object.keys(module);
  if (exported.length === 0) return 'it exports nothing';
  const nameless = exported.find((key) => isHandlerClass(module[key]));
  if (nameless) return `its class ${nameless} has no handlerName of its own`;
  return `none of its exports is a handler: ${exported.slice(0, 10).join(', ')}`;
}

function relative({ root }: HandlerFiles, file: string): string {
  return path.relative(root, file);
}
