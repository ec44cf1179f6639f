import { statSync } from 'node:fs';
import path from 'node:path';
import { isHandlerClass, isStepHandler, type StepHandler, type StepHandlerClass } from '../handlers/step-handler.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import { type AnyWorkflow, isWorkflow } from '../workflow/workflow.ts';
import { bundleHandlers } from './bundle-handlers.ts';
import { type HandlerFiles, handlerFiles } from './handler-files.ts';
import { exportsOf, handlersIn } from './handler-origin.ts';
import { importBundle, importPackage, type Module } from './import-handlers.ts';

/** The part of a `HandlerRegistry` that discovery needs. */
export interface HandlerTarget {
  register(name: string, handler: StepHandlerClass | StepHandler): void;
  unregister(name: string): boolean;
}

/** Options of {@link discoverHandlers}. */
export interface DiscoverOptions {
  /** The registry that receives the handlers, usually a `HandlerRegistry`. */
  registry: HandlerTarget;
  logger?: Logger;
  /**
   * Called with each export that is not a handler. Returns the export's name if the export is used in another way.
   * @internal
   */
  also?: ((exported: unknown) => string | undefined) | undefined;
}

/** The result for one file. */
export interface DiscoveredFile {
  /** An absolute path, or the name of a package. */
  file: string;
  /** The names of the handlers found in the file. */
  handlers: string[];
  /** The reason why no handler was found in the file. */
  reason?: string;
}

/** The result of {@link discoverHandlers}. */
export interface Discovery {
  /** The number of handlers, each name counted once. */
  count: number;
  files: DiscoveredFile[];
  /** The workflows in the exports, whose handlers are registered. Absent if there are none. */
  workflows?: AnyWorkflow[];
}

/**
 * Imports every TypeScript and JavaScript file of a folder and its subfolders, and registers the exported handlers
 * under their `handlerName`. Handlers in exported arrays and plain objects are registered too. Skips names that begin
 * with `_` or `.`, `*.test.*`, `*.spec.*`, `*.d.ts` and `node_modules`. A second call reloads only changed files. The
 * source can also be a file, an installed package, or a part of a package (`@shop/handlers/billing`), whose own exports
 * are used.
 *
 * Enables Node's source maps for the process, so that stack traces show the source files.
 *
 * Modules that a handler imports by a relative path become part of the bundles. If the application imports such a
 * module too, the process has two instances of the module. Packages have only one instance.
 *
 * Throws `handler_not_found` if the folder does not exist, and `handler_invalid` with the path if a file does not
 * compile or throws while it is imported.
 *
 * @example
 * const { count, files } = await discoverHandlers('./handlers', { registry });
 * for (const { file, reason } of files) if (reason) console.warn(`${file}: ${reason}`);
 */
export async function discoverHandlers(source: string, options: DiscoverOptions): Promise<Discovery> {
  // Not destructured in the signature, because the type declarations would then contain the internal `also`.
  const { registry, logger = silentLogger, also } = options;
  const modules = (await modulesOfPackage(source)) ?? (await modulesOfFolder(source));

  const files: DiscoveredFile[] = [...modules.leftOut];
  const workflows: AnyWorkflow[] = [];
  const origins = new Map<string, { file: string; handler: Found }>();
  const register = (handler: Found, file: string) => {
    const name = nameOf(handler);
    const before = origins.get(name);
    if (before && before.handler !== handler) {
      const message = `handler ${name} is in both ${before.file} and ${file}; the second one is used`;
      logger.warn({ handler: name, files: [before.file, file] }, message);
      registry.unregister(name);
    }
    origins.set(name, { file, handler });
    registry.register(name, handler);
  };
  for (const [file, module] of modules.imported) {
    const handlers = handlersOf(module);
    workflows.push(...exportsOf(module).filter(isWorkflow));
    for (const handler of handlers) register(handler, file);
    const others = also ? exportsOf(module).flatMap((exported) => also(exported) ?? []) : [];
    const empty = handlers.length === 0 && others.length === 0;
    files.push({ file, handlers: handlers.map(nameOf), ...(empty && { reason: whyNone(module) }) });
  }
  for (const { file, reason } of files)
    if (reason) logger.debug({ file, reason }, `no handler in ${path.relative(modules.root, file)}`);
  return { count: origins.size, files, ...(workflows.length > 0 && { workflows }) };
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

/** Returns the module of a package. Undefined if the name is a folder or a file, or if no such package is installed. */
async function modulesOfPackage(name: string): Promise<Modules | undefined> {
  if (!PACKAGE.test(name) || statSync(name, { throwIfNoEntry: false })) return undefined;
  const root = process.cwd();
  const module = await importPackage(root, name);
  return module === null ? undefined : { root, imported: [[name, module]], leftOut: [] };
}

type Found = StepHandlerClass | StepHandler;

/** Returns the handlers of a module, without duplicates. */
function handlersOf(module: Module): Found[] {
  return handlersIn(module).filter((value) => isNamedClass(value) || isStepHandler(value));
}

/**
 * Returns whether a class has its own `handlerName`. A class with an inherited name would replace its base class in the
 * registry.
 */
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
  if (nameless) return `class ${nameless} has no handlerName of its own`;
  return `no export is a handler: ${exported.slice(0, 10).join(', ')}`;
}
