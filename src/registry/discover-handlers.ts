import { statSync } from 'node:fs';
import path from 'node:path';
import { isHandlerClass, isStepHandler, type StepHandler, type StepHandlerClass } from '../handlers/step-handler.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import { bundleHandlers } from './bundle-handlers.ts';
import { type HandlerFiles, handlerFiles } from './handler-files.ts';
import { exportsOf, handlersIn } from './handler-origin.ts';
import { importBundle, importPackage, type Module } from './import-handlers.ts';

/** What discovery needs of a `HandlerRegistry`. */
export interface HandlerTarget {
  register(name: string, handler: StepHandlerClass | StepHandler): void;
  unregister(name: string): boolean;
}

/** Options of {@link discoverHandlers}. */
export interface DiscoverOptions {
  /** Where the handlers are registered: a `HandlerRegistry`. */
  registry: HandlerTarget;
  logger?: Logger;
  /** Is shown what is exported and no handler; answers with its name when it takes it. @internal */
  also?: ((exported: unknown) => string | undefined) | undefined;
}

/** What a file gave. */
export interface DiscoveredFile {
  /** Absolute; of a package its name. */
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
 * among their exports, under its `handlerName`; handlers in exported lists and plain objects too. Names that begin with
 * `_` or `.`, `*.test.*`, `*.spec.*`, `*.d.ts` and `node_modules` are passed over. Called again, it loads what has
 * changed and leaves the rest alone. Instead of a folder, give a file, or the name of an installed package (or of a part
 * of one, `@shop/handlers/billing`), whose own exports are taken.
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
 * const { count, files } = await discoverHandlers('./handlers', { registry });
 * for (const { file, reason } of files) if (reason) console.warn(`${file}: ${reason}`);
 */
export async function discoverHandlers(source: string, options: DiscoverOptions): Promise<Discovery> {
  // Not in the signature: declarations would name `also`, which they leave out of the options.
  const { registry, logger = silentLogger, also } = options;
  const modules = (await modulesOfPackage(source)) ?? (await modulesOfFolder(source));

  const files: DiscoveredFile[] = [...modules.leftOut];
  const origins = new Map<string, { file: string; handler: Found }>();
  const register = (handler: Found, file: string) => {
    const name = nameOf(handler);
    const before = origins.get(name);
    if (before && before.handler !== handler) {
      const message = `handler ${name} is in ${before.file} and in ${file}; the latter is used`;
      logger.warn({ handler: name, files: [before.file, file] }, message);
      registry.unregister(name);
    }
    origins.set(name, { file, handler });
    registry.register(name, handler);
  };
  for (const [file, module] of modules.imported) {
    const handlers = handlersOf(module);
    for (const handler of handlers) register(handler, file);
    const others = also ? exportsOf(module).flatMap((exported) => also(exported) ?? []) : [];
    const empty = handlers.length === 0 && others.length === 0;
    files.push({ file, handlers: handlers.map(nameOf), ...(empty && { reason: whyNone(module) }) });
  }
  for (const { file, reason } of files)
    if (reason) logger.debug({ file, reason }, `no handler in ${path.relative(modules.root, file)}`);
  return { count: origins.size, files };
}

interface Modules {
  root: string;
  imported: [string, Module][];
  leftOut: DiscoveredFile[];
}

async function modulesOfFolder(folder: string): Promise<Modules> {
  const found: HandlerFiles = handlerFiles(folder);
  process.setSourceMapsEnabled(true);
  const bundles = found.files.length === 0 ? new Map<string, string>() : await bundleHandlers(found);
  const imported: [string, Module][] = [];
  for (const file of found.files) imported.push([file, await importBundle(file, bundles.get(file)!)]);
  const leftOut = found.leftOut.map(({ file, reason }) => ({ file, handlers: [], reason }));
  return { root: found.root, imported, leftOut };
}

const PACKAGE = /^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*(\/[\w.~-]+)*$/;

/** Undefined when the name is a folder's or file's, or no such package is installed. */
async function modulesOfPackage(name: string): Promise<Modules | undefined> {
  if (!PACKAGE.test(name) || statSync(name, { throwIfNoEntry: false })) return undefined;
  const root = process.cwd();
  const module = await importPackage(root, name);
  return module === null ? undefined : { root, imported: [[name, module]], leftOut: [] };
}

type Found = StepHandlerClass | StepHandler;

/** Each handler once, however many names it is exported by. */
function handlersOf(module: Module): Found[] {
  return handlersIn(module).filter((value) => isNamedClass(value) || isStepHandler(value));
}

/** A class that inherits its `handlerName` is a base or a variant that was given none: registering it would hide the other. */
function isNamedClass(value: unknown): value is StepHandlerClass {
  return isHandlerClass(value) && Object.hasOwn(value, 'handlerName') && value.handlerName !== '';
}

function nameOf(handler: Found): string {
  return isStepHandler(handler) ? handler.name : handler.handlerName;
}

function whyNone(module: Module): string {
  const exported = Object.keys(module);
  if (exported.length === 0) return 'it exports nothing';
  const nameless = exported.find((key) => isHandlerClass(module[key]));
  if (nameless) return `its class ${nameless} has no handlerName of its own`;
  return `none of its exports is a handler: ${exported.slice(0, 10).join(', ')}`;
}
